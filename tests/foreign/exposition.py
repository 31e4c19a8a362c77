"""Parses expositions with the parsers of prometheus_client and says what they saw.

Reads {"format": "openmetrics" | "prometheus", "texts": [...]} and writes, for each text, either
{"error": ...} or {"families": [{name, type, unit, help, samples: [[name, labels, value]]}]}; values
are strings, so that NaN and infinities survive JSON.
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus


def families(parse, text):
    try:
        return {
            "families": [
                {
                    "name": family.name,
                    "type": family.type,
                    "unit": family.unit,
                    "help": family.documentation,
                    "samples": [[s.name, s.labels, repr(float(s.value))] for s in family.samples],
                }
                for family in parse(text)
            ]
        }
    except Exception as error:  # whatever the parser raises is the answer
        return {"error": f"{type(error).__name__}: {error}"}


request = json.load(sys.stdin)
parse = openmetrics if request["format"] == "openmetrics" else prometheus
json.dump([families(parse, text) for text in request["texts"]], sys.stdout)
