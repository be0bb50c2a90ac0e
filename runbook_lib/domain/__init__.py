"""Pure functions: no input or output, no SDK, no pandas."""
