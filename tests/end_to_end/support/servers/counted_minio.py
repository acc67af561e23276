"""As MinioServer, with every byte between Shoebox and its store counted."""

from support.counting_proxy import CountingProxy
from support.servers.minio import MinioServer


class CountedMinioServer(MinioServer):
    def _settings(self):
        self.store_traffic = CountingProxy(self.minio.port)
        settings = super()._settings()
        settings["storage"]["endpoint"] = f"http://127.0.0.1:{self.store_traffic.port}"
        return settings

    def stop(self):
        try:
            super().stop()
        finally:
            self.store_traffic.stop()
