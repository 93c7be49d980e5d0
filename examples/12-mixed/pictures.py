"""Jobs that run in a process each: package executor/process starts this file."""
import io

from gale_worker import job, run
from PIL import Image


@job("thumbnail", payload=bytes)
def thumbnail(picture):
    image = Image.open(io.BytesIO(picture))
    image.thumbnail((160, 160))
    small = io.BytesIO()
    image.convert("RGB").save(small, "JPEG", quality=80)
    return small.getvalue()


if __name__ == "__main__":
    run()
