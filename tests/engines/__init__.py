"""Engines that execute compiled documents on this machine; none of them knows the compiler."""
