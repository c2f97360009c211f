"""Does the score select better data? A study that anyone can run: docs/evidence.md.

    scripts/study.sh run CONFIG        from records, or a scored file, to a table, JSON and a plot
    scripts/study.sh confounds FILES   what a score is made of, and how far runs agree
    scripts/study.sh planted           scores of traces that need retrieval by construction
"""


class StudyError(Exception):
    """What a user can mend; the command prints it and ends with exit code 1."""
