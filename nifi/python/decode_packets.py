"""The processor DecodePackets. NiFi finds it by reading this file, and takes its documentation from the text as well."""

from typing import Any

from nifiapi.__jvm__ import JvmHolder
from nifiapi.flowfiletransform import FlowFileTransform, FlowFileTransformResult
from nifiapi.properties import PropertyDescriptor, ValidationResult

from f1_packets import Rejected
from nifi.python.acknowledging import acknowledge_at_once
from nifi.python.decoding import Choice, Decoder, Form

acknowledge_at_once(JvmHolder.gateway._gateway_client)


class DecodePackets(FlowFileTransform):  # type: ignore[misc]  # nifiapi is there inside NiFi only
    class Java:
        implements = ["org.apache.nifi.python.processor.FlowFileTransform"]  # noqa: RUF012 (NiFi reads it as it is)

    class ProcessorDetails:
        version = "0.1.0"
        description = (
            "Decodes a block of F1 telemetry, as the UDP gateway posts it, into JSON or CSV. For branches that are "
            "added by hand: it takes milliseconds for each FlowFile. What is no block goes to failure as it came, with "
            "the attribute reject.reason."
        )
        tags = ["f1", "telemetry", "pitlane", "json", "csv"]  # noqa: RUF012

    OUTPUT_FORMAT = PropertyDescriptor(
        name="Output Format",
        description="JSON Lines: a line for each record. JSON Array: all records in one array. CSV: a line of names, "
        "then a line for each record; members of structs and arrays are columns of their own: header.session_uid, "
        "tyres_wear_percent.0",
        allowable_values=["JSON Lines", "JSON Array", "CSV"],
        default_value="JSON Lines",
        required=True,
    )
    RECORDS = PropertyDescriptor(
        name="Records",
        description="Cars: one for each car of each datagram, with its car_index. Player Cars: only those of the "
        "player, and of the second one at a split screen. Datagrams: one for each datagram, its cars in a list. "
        "A packet without a list of cars, such as an event, has one for each datagram in any case.",
        allowable_values=["Cars", "Player Cars", "Datagrams"],
        default_value="Cars",
        required=True,
    )
    FIELDS = PropertyDescriptor(
        name="Fields",
        description="Names of the fields to keep, separated by commas, such as: rig, header.session_uid, car_index, "
        "tyres_wear_percent. Without any, all are kept. A block whose packet has none of them goes to failure.",
        required=False,
    )

    def __init__(self, **_: object) -> None:
        super().__init__()

    def getPropertyDescriptors(self) -> list[PropertyDescriptor]:  # noqa: N802 (NiFi's name)
        return [self.OUTPUT_FORMAT, self.RECORDS, self.FIELDS]

    def customValidate(self, context: Any) -> list[ValidationResult]:  # noqa: N802
        unknown = sorted(_decoder(context).unknown_fields())
        if not unknown:
            return []
        explanation = f"no packet has {', '.join(unknown)} in such a record"
        return [ValidationResult(subject="Fields", explanation=explanation, valid=False)]

    def transform(self, context: Any, flowfile: Any) -> FlowFileTransformResult:
        decoder = _decoder(context)
        try:
            decoded = decoder.decode(flowfile.getContentsAsBytes())
        except Rejected as rejected:
            return FlowFileTransformResult("failure", attributes={"reject.reason": rejected.reason})
        attributes = {"mime.type": decoder.form.mime_type, "record.count": str(decoded.records)}
        return FlowFileTransformResult("success", attributes=attributes, contents=decoded.content)


def _decoder(context: Any) -> Decoder:
    def value(descriptor: PropertyDescriptor) -> str:
        return context.getProperty(descriptor.name).getValue() or ""

    fields = (field.strip() for field in value(DecodePackets.FIELDS).split(","))
    form, choice = value(DecodePackets.OUTPUT_FORMAT), value(DecodePackets.RECORDS)
    return Decoder(Form(form), Choice(choice), tuple(filter(None, fields)))
