"""The objects of a lake on an S3-compatible store, read and written through obstore.

Endpoint and credentials come from the environment (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, ...). Requests that are
throttled or fail on the way are repeated by obstore. Whatever depends on what others do is a conditional write.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from warehouse.lake import UnusableLake
from warehouse.object_store.failures import explain_failure
from warehouse.origin import DamagedObject, OriginError
from warehouse.terminal_text import escape_name

ADDRESS = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[\w.=+-]+(?:/[\w.=+-]+)*))?/?", re.A
)
_PARALLEL_REQUESTS = 8
_PIECE_BYTES = 8 * 2**20
_RETRY: Any = {
    "max_retries": 12,
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5), "base": 2.0},
}


class StoreUnavailable(OriginError):
    """The store cannot be reached or refuses a request; the message names the address, the reason and the setting."""


class NoBucket(StoreUnavailable):
    """There is no such bucket."""


class ObjectChanged(RuntimeError):
    """A conditional write was refused, since somebody else has written the object."""


@dataclass(frozen=True)
class StoredObject:
    """A small object as it was read.

    Args:
        content: Its bytes.
        tag: The ETag of this state, for a conditional write.
    """

    content: bytes
    tag: str


class ObjectStore:
    """The objects below one address.

    Args:
        store: The store of obstore.
        address: The address, for messages.
        endpoint: The server, for messages; Amazon's if it is empty.
    """

    def __init__(self, store: Any, address: str, endpoint: str = "") -> None:
        self.address = address
        self._endpoint = endpoint
        self.requests = Counter[str]()  # by kind, for measurements
        self._store = store
        self._quotes_tags = True

    def read(self, key: str, known: StoredObject | None = None) -> StoredObject | None:
        """An object, none if it is missing; the known state itself if that has not changed.

        Raises:
            StoreUnavailable: The store cannot be read.
        """
        import obstore
        from obstore.exceptions import NotModifiedError

        options: Any = {"if_none_match": known.tag} if known else {}
        with self._request("get"):
            try:
                result = obstore.get(self._store, key, options=options)
                return StoredObject(bytes(result.bytes()), str(result.meta["e_tag"]))
            except NotModifiedError:
                return known
            except FileNotFoundError as error:
                self._require_bucket(error)
                return None

    def replace(self, key: str, content: bytes, tag: str | None) -> StoredObject:
        """Write an object if it still has the given tag, or if none is given, if there is none.

        The content must be unlike that of any other writer: a request that is repeated may be refused because the first
        one was carried out although its answer was lost, which is found out by comparing the content.

        Raises:
            ObjectChanged: Somebody else has written it.
            StoreUnavailable: The store cannot be written.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._request("conditional put"):
            try:
                mode: Any = "create" if tag is None else {"e_tag": tag if self._quotes_tags else tag.strip('"')}
                result = obstore.put(self._store, key, content, mode=mode, use_multipart=False)
                return StoredObject(content, str(result["e_tag"]))
            except (AlreadyExistsError, PreconditionError):
                pass
            except FileNotFoundError as error:
                self._require_bucket(error)
        found = self.read(key)
        if found is not None and found.content == content:
            return found
        if found is not None and found.tag == tag and self._quotes_tags:
            self._quotes_tags = False  # Ceph compares the ETag with its quotes, as it must not
            return self.replace(key, content, tag)
        raise ObjectChanged(f"{self.address}/{key} was written by somebody else")

    def put(self, key: str, content: bytes) -> None:
        """Write a small object, whatever is there."""
        import obstore

        with self._request("put"):
            obstore.put(self._store, key, content, use_multipart=False)

    def upload(self, key: str, path: Path) -> None:
        """Write a file as an object, in pieces if it is large; it appears at once, or not at all."""
        import obstore

        with self._request("put"), path.open("rb") as file:
            obstore.put(self._store, key, file, chunk_size=_PIECE_BYTES)

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the store."""
        import obstore

        with self._request("copy"):
            obstore.copy(self._store, source, target)

    def has(self, key: str, size_bytes: int) -> bool:
        """Whether there is an object of this size."""
        import obstore

        with self._request("head"):
            try:
                return obstore.head(self._store, key)["size"] == size_bytes
            except FileNotFoundError as error:
                self._require_bucket(error)
                return False

    def get_moment(self, key: str) -> float:
        """When an object was written, by the clock of the store, in seconds since 1970."""
        import obstore

        with self._request("head"):
            return obstore.head(self._store, key)["last_modified"].timestamp()

    def download(self, key: str, path: Path, sha256: str) -> None:
        """Write an object to a file, which appears when its bytes were compared with their hash.

        Raises:
            DamagedObject: It is missing or has other bytes.
            StoreUnavailable: The store cannot be read.
            OSError: The file cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name[:200]}.{uuid.uuid4().hex[:8]}")
        try:
            with draft.open("wb") as file:
                found = self._read_pieces(key, file.write)
            if found != sha256:
                raise DamagedObject(f"{self.address}/{key} has other bytes than were written (another SHA-256)")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def hash(self, key: str) -> str:
        """SHA-256 of the bytes of an object, read from the store.

        Raises:
            DamagedObject: It is missing.
        """
        return self._read_pieces(key, len)

    def _read_pieces(self, key: str, write: Callable[[bytes], object]) -> str:
        import obstore

        digest = hashlib.sha256()
        with self._request("get"):
            try:
                for piece in obstore.get(self._store, key).stream(min_chunk_size=_PIECE_BYTES):
                    content = bytes(piece)
                    digest.update(content)
                    write(content)
            except FileNotFoundError as error:
                self._require_bucket(error)
                raise DamagedObject(f"{self.address}/{key} is missing") from error
        return digest.hexdigest()

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are passed over."""
        import obstore

        keys = list(keys)
        for first in range(0, len(keys), 1000):
            with self._request("delete"):
                obstore.delete(self._store, keys[first : first + 1000])

    def list(self) -> Generator[tuple[str, int, float]]:
        """Key, size and moment of each object, as far as the store lists it already.

        It serves only to find what can be removed: which files a lake has is in its versions.
        """
        import obstore

        with self._request("list"):
            for batch in obstore.list(self._store):
                for meta in batch:
                    yield meta["path"], meta["size"], meta["last_modified"].timestamp()

    @contextmanager
    def _request(self, kind: str) -> Generator[None]:
        from obstore.exceptions import BaseError

        self.requests[kind] += 1
        try:
            yield
        except FileNotFoundError as error:
            self._require_bucket(error)
            raise
        except (BaseError, PermissionError) as error:
            raise StoreUnavailable(f"{self.address}: {explain_failure(str(error), self._endpoint)}") from error

    def _require_bucket(self, error: FileNotFoundError) -> None:
        """Require that something else than the bucket was not found.

        Raises:
            StoreUnavailable: It was the bucket.
        """
        if "NoSuchBucket" in str(error):
            where = f" at {self._endpoint}" if self._endpoint else ""
            raise NoBucket(
                f"{self.address}: there is no such bucket{where}; make it, or correct the address"
            ) from error


def open_store(address: str, environment: Mapping[str, str] | None = None) -> ObjectStore:
    """The store at an address such as ``s3://bucket/prefix``.

    Raises:
        UnusableLake: The address has another form, or the package obstore is missing.
    """
    environment = os.environ if environment is None else environment
    match = ADDRESS.fullmatch(address)
    if match is None or ".." in address.split("/"):
        raise UnusableLake(
            f"{escape_name(address)} cannot hold a lake: give a folder, or an address such as s3://bucket/prefix,"
            " with letters, digits and . _ = + - in the prefix"
        )
    try:
        from obstore.store import S3Store
    except ImportError as error:
        raise UnusableLake(
            f"{address} needs the package obstore ({error}): `make setup` installs it, elsewhere the extra s3 of aisle"
        ) from error
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise UnusableLake(f"AWS_ENDPOINT_URL is {escape_name(endpoint)}: give an address with https:// or http://")
    options: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    if "AWS_REGION" not in environment and "AWS_DEFAULT_REGION" not in environment:
        options["region"] = "us-east-1"
    store = S3Store(
        match["bucket"],
        prefix=match["prefix"],
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "timeout": timedelta(hours=1),  # of a whole request: the default of 30 seconds ends large downloads
            "read_timeout": timedelta(minutes=1),
        },
        retry_config=_RETRY,
        **options,
    )
    return ObjectStore(store, address.rstrip("/"), endpoint)


def run_parallel(function: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Call a function for each item, several at once; the first error ends it."""
    with ThreadPoolExecutor(_PARALLEL_REQUESTS) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
