def train(options: dict[str, object], run_options: dict[str, object]):
    return {"given": len(options) + len(run_options)}
