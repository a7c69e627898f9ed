"""A local S3 server (moto), and the environment that leads s3fs to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SECRET = "planted/secret+0123456789abcdefghijklmnop"


@contextmanager
def s3_server() -> Iterator[str]:
    """Starts a server with the bucket `bucket`, and yields its URL."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys())
        client.create_bucket(Bucket="bucket")
        yield url
    finally:
        server.stop()


def keys() -> dict[str, str]:
    return {"aws_access_key_id": "planted", "aws_secret_access_key": SECRET}


def environment(url: str) -> dict[str, str]:
    """The variables with which s3fs uses the server."""
    place = {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    return {**{name.upper(): value for name, value in keys().items()}, **place}


def use(url: str, patch: pytest.MonkeyPatch) -> None:
    for name, value in environment(url).items():
        patch.setenv(name, value)
