def report(years, rows, bytes, kept):
    print(years, rows, bytes, kept)
    return {}
