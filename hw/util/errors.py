"""Every error a user can cause, as one tree.

::

    Spec2Error
    ├── ConfigError            a parameter is out of its range, or two do not fit together
    ├── UnsupportedNetwork     a layer the hardware cannot execute
    ├── ArtifactError          a file is missing, corrupt or of another schema, or cannot be written
    │   └── DigestMismatch     two digests that must agree do not
    ├── DoesNotFit             the design exceeds a budget of the board
    ├── ToolError
    │   ├── ToolNotFound       a compiler, simulator or vendor tool is not installed
    │   ├── ToolFailed         a tool ran and failed; the message names its log
    │   └── TimingNotMet       a build is complete but too slow for its clock
    ├── LinkError              the transport to an accelerator failed or timed out
    └── DataError              images or a data set have the wrong shape, type or place

The command line prints the message of any of them as one sentence and exits with code 2.
A message says what is wrong (echoing the value), the limit, and what to change.
"""


class Spec2Error(Exception):
    """Base of all errors that are the caller's to mend."""


class ConfigError(Spec2Error, ValueError):
    """A parameter is out of range or contradicts another."""


class UnsupportedNetwork(Spec2Error, ValueError):
    """The network holds a layer, or a combination of layers, that the hardware cannot run."""


class ArtifactError(Spec2Error):
    """``model.npz``, or another file, cannot be read or written, or does not hold what it should."""


class DigestMismatch(ArtifactError):
    """Two digests that must agree do not."""


class DoesNotFit(Spec2Error):
    """A design needs more of a resource than the board has."""


class ToolError(Spec2Error):
    """An external tool is missing or failed."""


class ToolNotFound(ToolError):
    """An external tool is not installed or not on the path."""


class ToolFailed(ToolError):
    """An external tool ran and reported a failure."""


class TimingNotMet(ToolError):
    """A build was placed and routed, but does not reach the clock it was asked for."""


class LinkError(Spec2Error):
    """The transport to an accelerator failed or timed out."""


class MemoryFault(LinkError):
    """External memory answered a read with an error."""


class DataError(Spec2Error, ValueError):
    """Input data have the wrong shape, type or place."""
