"""The compiler: syntax tree in, checked model and plan out, and the command line around it."""
