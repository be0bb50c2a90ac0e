"""One module a step: adapters, then domain, then a StepResult."""
