"""gale, as the application sees it."""
from ._errors import ClientDisconnected, Error, Expired, Failed, Rejected, Saturated, Unavailable
