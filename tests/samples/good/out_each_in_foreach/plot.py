def plot(seconds: list[list[float]], slowest: list[float]):
    for nodes, most in zip(seconds, slowest, strict=True):
        print(len(nodes), most)
    return {}
