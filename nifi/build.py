"""The flow `f1-ingest`, described once and written to nifi/flow/pitlane/f1-ingest/1.json: `python -m nifi.build`.

    receive ──▶ route by packet ID ══ one connection for each packet ══▶ publish ──▶ Kafka
                        └─ unmatched ─────▶ publish dead letters ◀── rejected ─┘
                                                     └─ rejected ──▶ parked

Why one publisher and not one for each packet: NiFi's cost is per FlowFile and step, and a producer that serves all
topics answers a whole batch in one round trip. The routes are connections named by packet, so each has its own queue
on the canvas, and a branch starts by drawing one more connection from the router.

The queues are short on purpose. What waits long waits on the gateway's disk: a full queue makes ListenHTTP answer 503.
"""

from pathlib import Path

from f1_packets import PACKET_NAMES
from nifi import definition
from nifi.definition import Json
from nifi.elements import (
    CONNECTION_LABEL,
    FUNNEL,
    PROCESSOR,
    Bundle,
    Limit,
    Point,
    Size,
    connection,
    controller_service,
    funnel,
    label,
    parameter,
    process_group,
    processor,
    sensitive_parameter,
)
from nifi.elements import definition as flow_definition
from nifi.parameters import parameter_values
from pitlane.settings import NifiSettings

GROUP = "f1-ingest"
PARAMETER_CONTEXT = "f1-ingest"
FLOW_FILE = Path(__file__).resolve().parent / "flow" / "pitlane" / GROUP / "1.json"

STANDARD = Bundle("org.apache.nifi", "nifi-standard-nar", "2.3.0")
SERVICES_API = Bundle("org.apache.nifi", "nifi-standard-services-api-nar", "2.3.0")
SSL_CONTEXT = Bundle("org.apache.nifi", "nifi-ssl-context-service-nar", "2.3.0")
PITLANE = Bundle("io.pitlane", "pitlane-nifi-nar", "0.1.0")

# At 60 Hz a rig makes about 10 FlowFiles a second on each of the busy routes, up to 80 KB each with 20 rigs.
RECEIVED = Limit(2_000, "64 MB")
ROUTED = Limit(1_000, "32 MB")
DEAD = Limit(10_000, "256 MB")
PARKED = Limit(10_000, "256 MB")

# What a block says of itself; NiFi's own attributes stay in NiFi.
HEADERS = r"(packet|block|reject)\..+|shard"

# The canvas: three columns side by side, as high as the routes, and the dead letters below. Component corners, but for
# the routes, whose labels are centred on ROUTES_X.
ROW = 76.0
RECEIVE_X, ROUTE_X, ROUTES_X, PUBLISH_X = 0.0, 656.0, 1416.0, 1864.0
BOTTOM = ROW * (len(PACKET_NAMES) - 1)
MIDDLE = BOTTOM / 2
MARGIN, HEADING = 60.0, 140.0
DEAD_X, DEAD_Y = 1240.0, BOTTOM + 270.0

GREY, BLUE, GREEN, RED = "#eceff1", "#e3f0fb", "#e6f4ea", "#fbe9e7"


def build() -> Json:
    """The flow definition, with the default settings as parameter values.

    Every property has a value here, also where it is the default: NiFi exports them all, and what a default is may
    change with the next NiFi.
    """
    tls = controller_service(
        GROUP,
        "TLS",
        "org.apache.nifi.ssl.StandardRestrictedSSLContextService",
        SSL_CONTEXT,
        {
            f"org.apache.nifi.ssl.{api}": SERVICES_API
            for api in ("RestrictedSSLContextService", "SSLContextProvider", "SSLContextService")
        },
        {
            "Keystore Filename": "#{tls.keystore}",
            "Keystore Type": "PKCS12",
            "Keystore Password": "#{tls.keystore.password}",
            "Truststore Filename": "#{tls.truststore}",
            "Truststore Type": "PKCS12",
            "Truststore Password": "#{tls.truststore.password}",
            "SSL Protocol": "TLS",
        },
        sensitive=("Keystore Password", "Truststore Password", "key-password"),
        comments="NiFi's own certificate and key, and the CA whose certificates may post blocks. Both stores are made "
        "by `pitlane up` or `pitlane certificates`.",
    )
    receive = processor(
        GROUP,
        "Receive blocks",
        "org.apache.nifi.processors.standard.ListenHTTP",
        STANDARD,
        Point(RECEIVE_X, MIDDLE - PROCESSOR.height / 2),
        {
            "Listening Port": "#{listen.port}",
            "Base Path": "#{listen.path}",
            "HTTP Protocols": "HTTP_1_1",
            "max-thread-pool-size": "16",
            "Return Code": "200",
            "Request Header Maximum Size": "8 KB",
            "Max Unconfirmed Flowfile Time": "60 secs",
            "multipart-request-max-size": "1 MB",
            "multipart-read-buffer-size": "512 KB",
            "SSL Context Service": tls["identifier"],
            "client-authentication": "REQUIRED",
            "Authorized DN Pattern": "#{tls.sender}",
            "authorized-issuer-dn-pattern": ".*",
        },
        services=["SSL Context Service"],
        comments="Takes blocks only from the gateway, known by its certificate. Unpacks application/flowfile-v3: one POST of the gateway becomes one FlowFile for each block, with "
        "the attributes the gateway gave it. Answers 200 when NiFi has them, 503 while the queue behind it is full.",
    )
    route = processor(
        GROUP,
        "Route by packet ID",
        "org.apache.nifi.processors.standard.RouteOnAttribute",
        STANDARD,
        Point(ROUTE_X, MIDDLE - PROCESSOR.height / 2),
        {"Routing Strategy": "Route to Property name"}
        | {name: f"${{packet.id:equals('{packet_id}')}}" for packet_id, name in PACKET_NAMES.items()},
        dynamic=PACKET_NAMES.values(),
        comments="One property for each packet, named by the packet; an ID that no property knows is unmatched. Works "
        "through what waits for up to 25 ms before it commits once: a commit costs more than a route.",
        run_duration_ms=25,
    )
    publish = _publisher(
        "Publish to Kafka",
        Point(PUBLISH_X, MIDDLE - PROCESSOR.height / 2),
        # The route, not what the sender calls its packet: no POST can name a topic of its own.
        {"Topic": "#{topic.prefix}.${RouteOnAttribute.Route}", "Partition": "${shard}", "Max Request Size": "1 MB"},
        "Each block becomes one record of its packet's topic, its shard the partition. While Kafka is away blocks wait "
        "in their queues, order kept. One task: Kafka answers batches, and a second task would only mix the order.",
    )
    dead = _publisher(
        "Publish dead letters",
        Point(DEAD_X, DEAD_Y),
        {"Topic": "#{topic.prefix}.dead_letter", "Max Request Size": "2 MB"},
        "Blocks of unknown or rejected packets, and what Kafka refused for good, with the reason in the headers. "
        "No partition: a shard that does not exist may be why a block is here. Takes twice the size, for the same reason.",
    )
    parked = funnel(GROUP, "parked", Point(PUBLISH_X + (PROCESSOR.width - FUNNEL.width) / 2, DEAD_Y + 40))
    routes = [
        connection(
            GROUP,
            route,
            [name],
            publish,
            ROUTED,
            name=name,
            bends=_route_bends(ROW * row),
            label_at=1,
            layer=2,
        )
        for row, name in enumerate(PACKET_NAMES.values())
    ]
    dead_line = DEAD_Y + PROCESSOR.height / 2
    rejected_line = DEAD_Y - 40
    others = [
        connection(GROUP, receive, ["success"], route, RECEIVED, name="blocks", layer=2),
        connection(
            GROUP,
            route,
            ["unmatched"],
            dead,
            DEAD,
            name="unknown packet",
            bends=[Point(ROUTE_X + PROCESSOR.width / 2, dead_line)],
            layer=2,
        ),
        connection(
            GROUP,
            publish,
            ["rejected"],
            dead,
            DEAD,
            name="refused by Kafka",
            bends=[
                Point(PUBLISH_X + PROCESSOR.width / 2, rejected_line),
                Point(DEAD_X + PROCESSOR.width / 2, rejected_line),
            ],
            layer=2,
        ),
        connection(GROUP, dead, ["rejected"], parked, PARKED, name="refused even here", layer=2),
    ]
    contents = process_group(
        GROUP,
        "Takes blocks of F1 packets from the UDP gateway and publishes them to one Kafka topic for each packet. "
        "Written by nifi/build.py.",
        PARAMETER_CONTEXT,
        {
            "processors": [receive, route, publish, dead],
            "connections": routes + others,
            "funnels": [parked],
            "labels": _labels(),
            "controllerServices": [tls],
        },
    )
    return flow_definition(contents, PARAMETER_CONTEXT, _parameters())


def _publisher(name: str, at: Point, target: dict[str, str], comments: str) -> Json:
    return processor(
        GROUP,
        name,
        "io.pitlane.nifi.PublishBlocks",
        PITLANE,
        at,
        {
            "Bootstrap Servers": "#{kafka.bootstrap}",
            "Header Attribute Pattern": HEADERS,
            "Delivery Timeout": "20 sec",
            "FlowFiles per Batch": "200",
        }
        | target,
        comments=comments,
        terminated=["success"],
        penalty="10 sec",
        pause="1 sec",
    )


def _route_bends(y: float) -> list[Point]:
    """The level part of a route: its label in the middle, a corner to either side."""
    half = CONNECTION_LABEL.width / 2 + MARGIN
    return [Point(ROUTES_X - half, y), Point(ROUTES_X, y), Point(ROUTES_X + half, y)]


def _labels() -> list[Json]:
    def box(name: str, text: str, left: float, right: float, top: float, bottom: float, colour: str) -> Json:
        size = Size(right - left, bottom - top)
        return label(GROUP, name, text, Point(left, top), size, colour=colour, font_px=20, layer=1)

    def column(name: str, text: str, left: float, right: float, colour: str) -> Json:
        return box(name, text, left - MARGIN, right + MARGIN, -HEADING, BOTTOM + MARGIN, colour)

    return [
        column("receive", "1  Receive\nThe gateway posts blocks here.", RECEIVE_X, RECEIVE_X + PROCESSOR.width, BLUE),
        column(
            "route",
            f"2  Route\n{len(PACKET_NAMES)} packets, a route and a topic for each.\n"
            "To branch off a packet, draw one more connection from the router.",
            ROUTE_X,
            ROUTES_X + CONNECTION_LABEL.width / 2 + MARGIN,
            GREY,
        ),
        column(
            "publish", "3  Publish\nA block leaves when Kafka has it.", PUBLISH_X, PUBLISH_X + PROCESSOR.width, GREEN
        ),
        box(
            "dead letters",
            "4  Dead letters\nNothing is thrown away: what no route wants\nand what Kafka refuses is kept with its reason.\n"
            "What even the dead-letter topic refuses\nwaits at the funnel for a person.",
            RECEIVE_X - MARGIN,
            PUBLISH_X + PROCESSOR.width + MARGIN,
            DEAD_Y - HEADING,
            DEAD_Y + PROCESSOR.height + MARGIN,
            RED,
        ),
    ]


def _parameters() -> list[Json]:
    descriptions = {
        "kafka.bootstrap": "Kafka brokers to begin with: host:port, separated by commas",
        "topic.prefix": "Topics are PREFIX.packet_name",
        "listen.port": "Port on which blocks are received",
        "listen.path": "Path to which blocks are posted",
        "tls.keystore": "PKCS#12 file of the certificate and key that blocks are received with, as NiFi sees it",
        "tls.truststore": "PKCS#12 file of the CA whose certificates may post blocks, as NiFi sees it",
        "tls.sender": "Regular expression for the name (DN) of who may post blocks",
    }
    defaults = parameter_values(NifiSettings.model_construct())
    return [
        *(parameter(name, defaults[name], description) for name, description in descriptions.items()),
        sensitive_parameter("tls.keystore.password", "Opens the file of tls.keystore"),
        sensitive_parameter("tls.truststore.password", "Opens the file of tls.truststore"),
    ]


def write(path: Path = FLOW_FILE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(definition.text(build()), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write())
