"""As MinioServer, with a store between them that fails now and then, and is repeatable."""

from support.faulty_proxy import FaultyProxy
from support.servers.minio import MinioServer


class FaultyMinioServer(MinioServer):
    def __init__(self, seed, probability, extra_settings=None):
        self._seed, self._probability = seed, probability
        super().__init__(extra_settings)

    def _settings(self):
        self.faults = FaultyProxy(self.minio.port, self._seed, self._probability)
        settings = super()._settings()
        settings["storage"]["endpoint"] = f"http://127.0.0.1:{self.faults.port}"
        return settings

    def stop(self):
        try:
            super().stop()
        finally:
            self.faults.stop()
