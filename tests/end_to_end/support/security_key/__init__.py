"""A security key without hardware: OpenSSH's clients sign with it through provider.c."""

import pathlib

from support import processes


def build_provider(folder):
    """Builds the provider; returns its path, for ssh-keygen -w and ssh -o SecurityKeyProvider."""
    library = pathlib.Path(folder) / "security_key.so"
    processes.run(["cc", "-shared", "-fPIC", "-o", library,
                   pathlib.Path(__file__).parent / "provider.c", "-lcrypto"])
    return library
