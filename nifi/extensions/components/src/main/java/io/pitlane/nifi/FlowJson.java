package io.pitlane.nifi;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import org.apache.nifi.flow.ConnectableComponent;
import org.apache.nifi.flow.VersionedComponent;
import org.apache.nifi.flow.VersionedFlowCoordinates;
import org.apache.nifi.flow.VersionedParameter;
import org.apache.nifi.registry.flow.RegisteredFlowSnapshot;
import org.apache.nifi.registry.flow.RegisteredFlowSnapshotMetadata;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.Set;

/**
 * A flow as JSON text that is the same whenever the flow is: members and sets in a fixed order, and nothing that only
 * one running NiFi knows. NiFi imports it as it imports what it exports itself.
 */
final class FlowJson {

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .defaultPropertyInclusion(JsonInclude.Value.construct(JsonInclude.Include.NON_NULL, JsonInclude.Include.NON_NULL))
            .enable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
            .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .addModule(new SimpleModule().addSerializer(new Ordered()))
            .addMixIn(RegisteredFlowSnapshot.class, Snapshot.class)
            .addMixIn(RegisteredFlowSnapshotMetadata.class, Metadata.class)
            .addMixIn(VersionedComponent.class, Component.class)
            .addMixIn(ConnectableComponent.class, End.class)
            .addMixIn(VersionedFlowCoordinates.class, Coordinates.class)
            .build();

    private static final DefaultIndenter INDENTER = new DefaultIndenter("  ", "\n");
    private static final DefaultPrettyPrinter PRINTER = new DefaultPrettyPrinter(Separators.createDefaultInstance()
            .withObjectFieldValueSpacing(Separators.Spacing.AFTER)
            .withObjectEmptySeparator("")
            .withArrayEmptySeparator(""))
            .withObjectIndenter(INDENTER)
            .withArrayIndenter(INDENTER);

    private FlowJson() {
    }

    static byte[] write(final RegisteredFlowSnapshot snapshot) {
        try {
            return (MAPPER.writer(PRINTER).writeValueAsString(snapshot) + "\n").getBytes(StandardCharsets.UTF_8);
        } catch (final JsonProcessingException e) {
            throw new IllegalArgumentException("A flow that cannot be told as JSON", e);
        }
    }

    /** Raises IOException that says what is wrong, and where, with text that is no flow. */
    static RegisteredFlowSnapshot read(final byte[] text) throws IOException {
        final RegisteredFlowSnapshot snapshot;
        try {
            snapshot = MAPPER.readValue(text, RegisteredFlowSnapshot.class);
        } catch (final JsonProcessingException e) {
            final JsonLocation location = e.getLocation();
            final String where = location == null ? "" : "line %d, column %d: ".formatted(location.getLineNr(), location.getColumnNr());
            throw new IOException(where + e.getOriginalMessage(), e);
        }
        if (snapshot == null || snapshot.getFlowContents() == null || snapshot.getFlowContents().getIdentifier() == null) {
            throw new IOException("it has no flowContents with an identifier");
        }
        return snapshot;
    }

    /** What NiFi keeps in a set has no order of its own. By identifier, so that a new name moves nothing. */
    private static final class Ordered extends StdSerializer<Set<?>> {
        Ordered() {
            super(Set.class, false);
        }

        @Override
        public void serialize(final Set<?> set, final JsonGenerator json, final SerializerProvider provider) throws IOException {
            json.writeStartArray();
            for (final Object member : set.stream().sorted(Comparator.comparing(Ordered::key)).toList()) {
                provider.defaultSerializeValue(member, json);
            }
            json.writeEndArray();
        }

        private static String key(final Object member) {
            return switch (member) {
                case VersionedComponent component -> component.getIdentifier();
                case VersionedParameter parameter -> parameter.getName();
                default -> member.toString();
            };
        }
    }

    // What is left out, by class. The place of the file says the rest of what NiFi knows of a snapshot.

    @JsonIgnoreProperties({"bucket", "flow", "latest"})
    private interface Snapshot {
    }

    @JsonIgnoreProperties({"branch", "bucketIdentifier", "flowIdentifier"})
    private interface Metadata {
    }

    /** The password is one of a remote process group's proxy. */
    @JsonIgnoreProperties({"instanceIdentifier", "instanceGroupId", "proxyPassword"})
    private interface Component {
    }

    /** An end of a connection: NiFi repeats the component's comments here. */
    @JsonIgnoreProperties({"instanceIdentifier", "instanceId", "instanceGroupId", "comments"})
    private interface End {
    }

    @JsonIgnoreProperties({"registryId", "storageLocation", "latest"})
    private interface Coordinates {
    }
}
