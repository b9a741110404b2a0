"""Data sets as their authors publish them, fetched once where they do not lie on this machine."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from components.storage import places
from components.storage.files import Folder
from contract.errors import UnavailableError
from contract.state import StateFolder


class Published(NamedTuple):
    """Where a data set is published.

    Attributes:
        origin: URL of the folder of its files.
        files: Digest of each by its name, MD5 or SHA-256, as its authors, torchvision and tf_keras.datasets give it.
        folder: Of the batches, where the file is an archive; empty where there is nothing to unpack.
    """

    origin: str
    files: Mapping[str, str]
    folder: str = ""


PUBLISHED = {
    "cifar10": Published(
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"},
        folder="cifar-10-batches-py",
    ),
    "fashion_mnist": Published(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "mnist": Published(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
}


def fetched(name: str, otherwise: str) -> Folder:
    """Returns the folder of a published data set: all of its files, each with the digest that it should have.

    Args:
        name: One of `PUBLISHED`.
        otherwise: What a person does where there is no network.

    Raises:
        UnavailableError: If it cannot be fetched.
    """
    target = StateFolder.from_environment().datasets / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent, prefix=f".{name}-") as draft:
            made = _made(PUBLISHED[name], Path(draft), otherwise)
            try:
                made.rename(target)
            except OSError:  # somebody else has fetched it meanwhile
                if not target.exists():
                    raise
    return places.folder(str(target))


def _made(published: Published, draft: Path, otherwise: str) -> Path:
    from components.keras import keras  # data that lies on this machine does without

    for file, digest in published.files.items():
        url = f"{published.origin}{file}"
        try:
            # Keras checks the digest, and that of a file that is there; tf_keras.datasets fetches with it too.
            path = keras.utils.get_file(
                file, url, cache_dir=str(draft), cache_subdir="data", file_hash=digest
            )
        except Exception as error:  # Keras raises nothing narrower
            raise UnavailableError(
                f"Expected to fetch {url}, as data.download says, got: {error}. {otherwise}"
            ) from error
    if published.folder:
        shutil.unpack_archive(path, draft / "unpacked", filter="data")
        return draft / "unpacked" / published.folder
    return draft / "data"
