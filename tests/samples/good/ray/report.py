def report(best):
    print(best)
    return {}
