from flowc.runtime import current


def index() -> int:
    return current.cluster.node_index
