"""Reads what cdcctl has compiled and uploaded, by its hash, from the assets bucket alone."""

import hashlib
import json
import os


class Refused(Exception):
    """The event asks for what this function does not do."""


def read_artefact(event, s3, folder="config/"):
    """Give the artefact that an event names; raise Refused unless bucket, folder and hash fit."""
    bucket, key, wanted = (event.get(name) for name in ("bucket", "key", "sha256"))
    if bucket != os.environ["ASSETS_BUCKET"]:
        raise Refused(f"artefacts lie in {os.environ['ASSETS_BUCKET']}, not in {bucket}")
    if not isinstance(key, str) or not key.startswith(folder) or ".." in key:
        raise Refused(f"{key} is not the key of an artefact")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    found = hashlib.sha256(body).hexdigest()
    if found != wanted:
        raise Refused(f"{key} has the hash {found[:16]}, asked for was {str(wanted)[:16]}")
    return json.loads(body)


def answered(work):
    """Give what the work gives as an answer; what is refused or fails is an error in it."""
    try:
        return {"statusCode": 200, "body": work()}
    except Refused as refused:
        return {"statusCode": 400, "error": str(refused)}
