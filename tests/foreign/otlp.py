"""Decodes an OTLP metrics request with opentelemetry-proto and says what it holds.

Reads the request in hexadecimal and writes a list of points: resource attributes, name, unit, type,
attributes, start, time and value; a histogram's value is its fields.
"""

import json
import sys

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest


def attributes(pairs):
    return {pair.key: pair.value.string_value for pair in pairs}


def histogram(point):
    return {
        "count": point.count,
        "sum": point.sum,
        "scale": point.scale,
        "zero_count": point.zero_count,
        "zero_threshold": point.zero_threshold,
        "offset": point.positive.offset,
        "buckets": list(point.positive.bucket_counts),
        "min": point.min if point.HasField("min") else None,
        "max": point.max if point.HasField("max") else None,
    }


def points(request):
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                temporality = data.aggregation_temporality if kind != "gauge" else None
                for point in data.data_points:
                    if kind == "exponential_histogram":
                        value = histogram(point)
                    else:
                        value = getattr(point, point.WhichOneof("value"))
                    yield {
                        "resource": attributes(resource.resource.attributes),
                        "scope": scope.scope.name,
                        "name": metric.name,
                        "unit": metric.unit,
                        "help": metric.description,
                        "kind": kind,
                        "temporality": temporality,
                        "monotonic": kind == "sum" and data.is_monotonic,
                        "attributes": attributes(point.attributes),
                        "start": point.start_time_unix_nano,
                        "time": point.time_unix_nano,
                        "value": value,
                    }


request = ExportMetricsServiceRequest()
request.ParseFromString(bytes.fromhex(sys.stdin.read()))
json.dump(list(points(request)), sys.stdout)
