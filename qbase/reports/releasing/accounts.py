"""Who types: the account of the operating system, which no environment variable changes. This is no authentication."""

from __future__ import annotations

import getpass
import os


def read_account() -> str:
    """Return the name of the account this process runs under."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except ImportError:
        return getpass.getuser()
    except KeyError:
        return f"uid-{os.getuid()}"
