def compare(losses):
    for row in losses:
        print(min(row))
    return {}
