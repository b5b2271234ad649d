"""What a folder holds, to see whether something has changed it."""

import hashlib


def tree(folder):
    """Every file under `folder` with its content's hash."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
