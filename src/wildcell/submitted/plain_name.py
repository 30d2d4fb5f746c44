"""Which names others may give to what is shown to everyone."""

import unicodedata

LONGEST_NAME = 200
LONGEST_LABEL = 1000
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of controls, marks of direction, surrogates and what is unassigned."""


def name_trouble(name: str) -> str:
    """Say why a name cannot be used; "" if it can.

    Any letters and signs of any script will do, those of HTML, too. What cannot be seen will not,
    nor what would lead out of a folder.

    Examples
    --------
    >>> name_trouble("BioLORD <2>"), name_trouble("../x")
    ('', 'is a path that leads elsewhere')
    """
    if name != name.strip():
        return "begins or ends with a space"
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or "." in parts:
        return "is a path that leads elsewhere"
    if unicodedata.normalize("NFC", name) != name:
        return "is not in Unicode's composed form (NFC), so that two names could look the same"
    return label_trouble(name, longest=LONGEST_NAME)


def label_trouble(label: str, *, longest: int = LONGEST_LABEL) -> str:
    """Say why a label of a data set cannot be shown; "" if it can."""
    if not label.strip():
        return "is empty"
    if len(label) > longest:
        return f"has {len(label)} characters, above {longest}"
    if any(unicodedata.category(letter) in HIDDEN for letter in label):
        return "has characters that cannot be seen, such as controls or marks of direction"
    return ""
