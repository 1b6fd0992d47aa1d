"""
A Mideye Server to develop and test against, with a phone in the browser.

It speaks the documented API on loopback, and needs the standard library only::

    with Sandbox() as sandbox:
        client = MideyeClient(sandbox.url, sandbox.api_key)
        sandbox.script("accept")
"""

from .control import Sandbox
from .faults import FAULTS
from .records import Call, NoPrompt, Prompt

__all__ = ["FAULTS", "Call", "NoPrompt", "Prompt", "Sandbox"]
