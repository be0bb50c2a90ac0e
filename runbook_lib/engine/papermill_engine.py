"""The papermill engine `runbook`: `papermill --engine runbook in.ipynb out.ipynb`.

papermill loads this module at every start, with any engine, and in the middle of its own import: it imports nothing
heavy and nothing of papermill, and the class only has the methods that papermill calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from .session import Session

__all__ = ["RunbookEngine"]


class RunbookEngine:
    """Executes a notebook so that what it records is true."""

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        session: Session | None = None,
        **options: Any,
    ) -> NotebookNode:
        """Execute `nb` in place.

        The sequence passes its `session` and looks at the ending itself. Without one this is plain papermill: endings
        for which papermill has no exception raise those of `papermill_errors`.
        """
        if session is not None:
            session.execute(nb)
            return nb
        from .papermill_plain import execute_plainly

        return execute_plainly(nb, kernel_name, output_path, options)

    @classmethod
    def nb_kernel_name(cls, nb: NotebookNode, name: str | None = None) -> str:
        """The kernel's name: the one asked for, else the notebook's."""
        from papermill.utils import nb_kernel_name

        return str(nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: NotebookNode, language: str | None = None) -> str:
        """The notebook's language."""
        from papermill.utils import nb_language

        return str(nb_language(nb, language))
