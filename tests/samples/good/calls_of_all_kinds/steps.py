def one(rows):
    from flowc.runtime import current

    current.outputs.table.write_text("x" * rows)
