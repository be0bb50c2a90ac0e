"""The papermill engine and the sequence runner."""
