class Splitter:
    def run(self) -> None:
        print("split")
