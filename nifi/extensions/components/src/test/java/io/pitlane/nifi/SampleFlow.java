package io.pitlane.nifi;

import org.apache.nifi.flow.Bundle;
import org.apache.nifi.flow.ConnectableComponent;
import org.apache.nifi.flow.ConnectableComponentType;
import org.apache.nifi.flow.ControllerServiceAPI;
import org.apache.nifi.flow.Position;
import org.apache.nifi.flow.ScheduledState;
import org.apache.nifi.flow.VersionedComponent;
import org.apache.nifi.flow.VersionedConfigurableExtension;
import org.apache.nifi.flow.VersionedConnection;
import org.apache.nifi.flow.VersionedControllerService;
import org.apache.nifi.flow.VersionedLabel;
import org.apache.nifi.flow.VersionedParameter;
import org.apache.nifi.flow.VersionedParameterContext;
import org.apache.nifi.flow.VersionedProcessGroup;
import org.apache.nifi.flow.VersionedProcessor;
import org.apache.nifi.flow.VersionedPropertyDescriptor;
import org.apache.nifi.flow.VersionedRemoteProcessGroup;
import org.apache.nifi.registry.flow.RegisteredFlowSnapshot;
import org.apache.nifi.registry.flow.RegisteredFlowSnapshotMetadata;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;

/**
 * A small flow as NiFi hands it over for a commit, with what one NiFi alone knows: instance ids, another order each
 * time, a group id and a place on the canvas of its own. A seed stands for one such NiFi.
 */
final class SampleFlow {
    static final String FLOW = "telemetry";
    static final String SECRET = "correct horse battery staple";

    private final Random random;
    private final String group;
    final VersionedProcessor receive;
    final VersionedProcessor publish;
    final VersionedProcessor nested;
    final VersionedControllerService tls;
    final VersionedProcessGroup contents;
    final Map<String, VersionedParameter> parameters = new HashMap<>();
    String contextName = "places";

    SampleFlow(final long seed) {
        random = new Random(seed);
        group = new UUID(seed, seed).toString();
        tls = component(new VersionedControllerService(), "tls", group);
        tls.setType("org.example.Tls");
        tls.setScheduledState(seed % 2 == 0 ? ScheduledState.ENABLED : ScheduledState.DISABLED);
        tls.setControllerServiceApis(List.copyOf(shuffled(List.of(api("org.example.A"), api("org.example.B"), api("org.example.C")))));
        properties(tls, Map.of("Keystore", "#{keystore}", "Password", "#{password}"), Set.of("Password"), Set.of(), Set.of());

        receive = processor("receive", group);
        properties(receive, Map.of("Port", "#{port}", "SSL", tls.getIdentifier()), Set.of(), Set.of(), Set.of("SSL", "Unused Service"));
        publish = processor("publish", group);
        publish.setAutoTerminatedRelationships(shuffled(List.of("success", "later", "never")));
        properties(publish, Map.of("Topic", "f1.ü", "sasl.jaas.config", SECRET, "linger.ms", "5"), Set.of("sasl.jaas.config"),
                Set.of("sasl.jaas.config", "linger.ms"), Set.of());

        final VersionedProcessGroup child = component(new VersionedProcessGroup(), "child", group);
        child.setParameterContextName(contextName);
        nested = processor("nested", child.getIdentifier());
        properties(nested, Map.of("latest", "yes", "flow", "a", "bucket", "b"), Set.of(), Set.of("latest", "flow", "bucket"), Set.of());
        child.setProcessors(shuffled(List.of(nested)));

        final VersionedConnection connection = component(new VersionedConnection(), "connection", group);
        connection.setName("blocks");
        connection.setSource(end(receive));
        connection.setDestination(end(publish));
        connection.setSelectedRelationships(shuffled(List.of("success", "retry")));
        connection.setBends(List.of(new Position(9, 1), new Position(3, 2)));
        connection.setPrioritizers(List.of("org.example.Second", "org.example.First"));

        final VersionedLabel label = component(new VersionedLabel(), "label", group);
        label.setLabel("1  Receive\nhere");
        label.setStyle(new HashMap<>(Map.of("font-size", "20px", "background-color", "#fff")));

        final VersionedRemoteProcessGroup remote = component(new VersionedRemoteProcessGroup(), "remote", group);
        remote.setProxyUser("proxy");
        remote.setProxyPassword(SECRET);

        contents = component(new VersionedProcessGroup(), "telemetry of " + seed, null);
        contents.setIdentifier(group);
        contents.setName("telemetry of " + seed);
        contents.setPosition(new Position(seed, -seed));
        contents.setProcessors(shuffled(List.of(receive, publish)));
        contents.setConnections(shuffled(List.of(connection)));
        contents.setControllerServices(shuffled(List.of(tls)));
        contents.setLabels(shuffled(List.of(label)));
        contents.setProcessGroups(shuffled(List.of(child)));
        contents.setRemoteProcessGroups(shuffled(List.of(remote)));
        contents.setFunnels(Set.of());
        contents.setInputPorts(Set.of());
        contents.setOutputPorts(Set.of());

        parameter("port", "98" + seed, false);
        parameter("keystore", "/etc/" + seed, false);
        parameter("password", SECRET, true);
    }

    void parameter(final String name, final String value, final boolean sensitive) {
        final VersionedParameter parameter = new VersionedParameter();
        parameter.setName(name);
        parameter.setValue(value);
        parameter.setSensitive(sensitive);
        parameters.put(name, parameter);
    }

    /** `basis`: the version that the group is at, null when it is at none. */
    RegisteredFlowSnapshot snapshot(final String basis, final String comments) {
        contents.setParameterContextName(contextName);
        contents.getProcessGroups().forEach(child -> child.setParameterContextName(contextName));
        final VersionedParameterContext context = new VersionedParameterContext();
        context.setName(contextName);
        context.setParameters(shuffled(parameters.values()));
        context.setInheritedParameterContexts(List.of());

        final RegisteredFlowSnapshotMetadata metadata = new RegisteredFlowSnapshotMetadata();
        metadata.setBranch("main");
        metadata.setBucketIdentifier(FolderFlowRegistryClientTest.BUCKET);
        metadata.setFlowIdentifier(FLOW);
        metadata.setVersion(basis);
        metadata.setAuthor("anna");
        metadata.setComments(comments);
        metadata.setTimestamp(random.nextLong(1_800_000_000_000L));

        final RegisteredFlowSnapshot snapshot = new RegisteredFlowSnapshot();
        snapshot.setFlowContents(contents);
        snapshot.setParameterContexts(new HashMap<>(Map.of(contextName, context)));
        snapshot.setParameterProviders(Map.of());
        snapshot.setExternalControllerServices(Map.of());
        snapshot.setFlowEncodingVersion("1.0");
        snapshot.setSnapshotMetadata(metadata);
        return snapshot;
    }

    private VersionedProcessor processor(final String name, final String groupId) {
        final VersionedProcessor processor = component(new VersionedProcessor(), name, groupId);
        processor.setType("org.example." + name);
        processor.setBundle(new Bundle("org.example", "example-nar", "1.0"));
        processor.setComments("what " + name + " is for");
        processor.setScheduledState(ScheduledState.ENABLED);
        processor.setYieldDuration("1 sec");
        processor.setAutoTerminatedRelationships(Set.of());
        return processor;
    }

    private <T extends VersionedComponent> T component(final T component, final String name, final String groupId) {
        component.setIdentifier(UUID.nameUUIDFromBytes(name.getBytes()).toString());
        component.setInstanceIdentifier("instance-" + random.nextLong());
        component.setGroupIdentifier(groupId);
        component.setName(name);
        component.setPosition(new Position(name.length(), 2));
        return component;
    }

    private static ControllerServiceAPI api(final String type) {
        final ControllerServiceAPI api = new ControllerServiceAPI();
        api.setType(type);
        return api;
    }

    private static ConnectableComponent end(final VersionedProcessor processor) {
        final ConnectableComponent end = new ConnectableComponent();
        end.setId(processor.getIdentifier());
        end.setInstanceIdentifier(processor.getInstanceIdentifier());
        end.setGroupId(processor.getGroupIdentifier());
        end.setName(processor.getName());
        end.setComments(processor.getComments());
        end.setType(ConnectableComponentType.PROCESSOR);
        return end;
    }

    /** Descriptors for all properties, and for "Unused Service", whose value is null as NiFi tells it. */
    private void properties(final VersionedConfigurableExtension extension, final Map<String, String> properties,
            final Set<String> sensitive, final Set<String> dynamic, final Set<String> services) {
        final Map<String, String> values = new HashMap<>(properties);
        services.forEach(name -> values.putIfAbsent(name, null));
        final Map<String, VersionedPropertyDescriptor> descriptors = new HashMap<>();
        values.keySet().forEach(name -> {
            final VersionedPropertyDescriptor descriptor = new VersionedPropertyDescriptor();
            descriptor.setName(name);
            descriptor.setDisplayName("The " + name);
            descriptor.setSensitive(sensitive.contains(name));
            descriptor.setDynamic(dynamic.contains(name));
            descriptor.setIdentifiesControllerService(services.contains(name));
            descriptors.put(name, descriptor);
        });
        extension.setProperties(values);
        extension.setPropertyDescriptors(descriptors);
    }

    private <T> Set<T> shuffled(final Collection<T> members) {
        final List<T> order = new ArrayList<>(members);
        Collections.shuffle(order, random);
        return new LinkedHashSet<>(order);
    }
}
