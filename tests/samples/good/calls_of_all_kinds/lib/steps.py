def several(table, limit=3):
    return {"names": [table.name][:limit], "counts": {"a": 1}}


def open_ended(**inputs):
    return {}
