"""The pattern of Mideye's own Python example: Flask, and requests in the view."""

import os

import requests
from flask import Flask, request

app = Flask(__name__)


@app.get("/page/")
def page():
    """Answer without any work."""
    return "done"


@app.get("/ask/")
def ask():
    """Ask the phone, and wait for its answer."""
    response = requests.get(
        f"{os.environ['MIDEYE_URL']}/api/sfwa/auth",
        params={"msisdn": request.args["number"]},
        headers={"api-key": os.environ["MIDEYE_API_KEY"]},
        timeout=320,
    )
    return response.json()["code"]
