"""One outside system a file; foreign errors are mapped to runbook_lib.errors here."""
