"""The servers that the tests talk to, all with the methods of `Server`."""

from support.servers.minio import MinioServer
from support.servers.openssh import OpenSshServer
from support.servers.quickstart import QuickstartServer

KINDS = {"openssh": OpenSshServer, "quickstart": QuickstartServer, "minio": MinioServer}
