def split(:
    pass
