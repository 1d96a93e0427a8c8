package io.pitlane.nifi;

import org.apache.nifi.flow.ControllerServiceAPI;
import org.apache.nifi.flow.Position;
import org.apache.nifi.flow.VersionedConfigurableExtension;
import org.apache.nifi.flow.VersionedControllerService;
import org.apache.nifi.flow.VersionedParameter;
import org.apache.nifi.flow.VersionedParameterContext;
import org.apache.nifi.flow.VersionedProcessGroup;
import org.apache.nifi.flow.VersionedPropertyDescriptor;
import org.apache.nifi.registry.flow.RegisteredFlowSnapshot;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The part of a flow that is worth a version: what a person changed, and not where or when NiFi ran it.
 *
 * <p>What each place decides for itself stays as it was in the version before: the values of parameters, the number that
 * NiFi may add to their context's name, which controller services are on, and the outermost group's id, name and place on
 * the canvas around it. NiFi calls none of these a change of the flow either.
 */
final class StableFlow {

    private StableFlow() {
    }

    /** A copy of `flow` that differs from `before`, which may be null, in nothing but the flow. */
    static RegisteredFlowSnapshot of(final RegisteredFlowSnapshot flow, final RegisteredFlowSnapshot before) throws IOException {
        final RegisteredFlowSnapshot stable = FlowJson.read(withGroupId(FlowJson.write(flow), flow, before));
        final VersionedProcessGroup group = stable.getFlowContents();
        group.setPosition(new Position(0, 0));
        extensions(group).forEach(StableFlow::trim);
        services(group).map(VersionedControllerService::getControllerServiceApis).filter(Objects::nonNull)
                .forEach(apis -> apis.sort(Comparator.comparing(ControllerServiceAPI::getType)));
        contexts(stable).flatMap(context -> context.getParameters().stream())
                .filter(VersionedParameter::isSensitive).forEach(parameter -> parameter.setValue(null));
        if (before != null) {
            group.setName(before.getFlowContents().getName());
            keepContextNames(stable, before);
            keepParameterValues(stable, before);
            keepServiceStates(group, before.getFlowContents());
        }
        return stable;
    }

    /** NiFi gives the outermost group an id of its own each time that it is deployed, and everything in it refers to that. */
    private static byte[] withGroupId(final byte[] text, final RegisteredFlowSnapshot flow, final RegisteredFlowSnapshot before) {
        if (before == null) {
            return text;
        }
        final String here = "\"" + flow.getFlowContents().getIdentifier() + "\"";
        final String there = "\"" + before.getFlowContents().getIdentifier() + "\"";
        return new String(text, StandardCharsets.UTF_8).replace(here, there).getBytes(StandardCharsets.UTF_8);
    }

    /** Without the descriptors that every NiFi has in its own copy of the extension, and without secrets. */
    private static void trim(final VersionedConfigurableExtension extension) {
        final Map<String, String> properties = extension.getProperties();
        final Map<String, VersionedPropertyDescriptor> descriptors = extension.getPropertyDescriptors();
        if (properties == null || descriptors == null) {
            return;
        }
        // NiFi itself exports of sensitive properties only those that refer to a parameter.
        properties.entrySet().removeIf(property -> {
            final VersionedPropertyDescriptor descriptor = descriptors.get(property.getKey());
            return descriptor != null && descriptor.isSensitive() && !property.getValue().matches("#\\{.*}");
        });
        descriptors.entrySet().removeIf(entry -> {
            final VersionedPropertyDescriptor descriptor = entry.getValue();
            final boolean used = properties.containsKey(entry.getKey())
                    && (descriptor.isSensitive() || descriptor.getIdentifiesControllerService());
            return !descriptor.isDynamic() && !used;
        });
        descriptors.values().forEach(descriptor -> descriptor.setResourceDefinition(null));
    }

    /** Deployed a second time with values of its own, a context gets a number from NiFi: "f1-ingest (1)". */
    private static void keepContextNames(final RegisteredFlowSnapshot flow, final RegisteredFlowSnapshot before) {
        final Map<String, VersionedParameterContext> all = flow.getParameterContexts();
        final Set<String> known = contexts(before).map(VersionedParameterContext::getName).collect(Collectors.toSet());
        for (final VersionedParameterContext context : contexts(flow).toList()) {
            final String here = context.getName();
            final String there = here.replaceFirst(" \\(\\d+\\)$", "");
            if (!known.contains(here) && known.contains(there) && !all.containsKey(there)) {
                all.remove(here);
                all.put(there, context);
                context.setName(there);
                contexts(flow).map(VersionedParameterContext::getInheritedParameterContexts).filter(Objects::nonNull)
                        .forEach(inherited -> inherited.replaceAll(name -> name.equals(here) ? there : name));
                groups(flow.getFlowContents()).filter(group -> here.equals(group.getParameterContextName()))
                        .forEach(group -> group.setParameterContextName(there));
            }
        }
    }

    private static void keepParameterValues(final RegisteredFlowSnapshot flow, final RegisteredFlowSnapshot before) {
        final Map<String, VersionedParameter> anywhere = new HashMap<>();
        contexts(before).flatMap(context -> context.getParameters().stream()).forEach(each -> anywhere.put(each.getName(), each));
        contexts(flow).forEach(context -> {
            // A context may have got another name, and its values are a place's own all the same.
            final Map<String, VersionedParameter> known = new HashMap<>(anywhere);
            contexts(before).filter(other -> Objects.equals(other.getName(), context.getName()))
                    .flatMap(other -> other.getParameters().stream()).forEach(each -> known.put(each.getName(), each));
            context.getParameters().stream().filter(each -> known.containsKey(each.getName()))
                    .forEach(each -> each.setValue(known.get(each.getName()).getValue()));
        });
    }

    private static void keepServiceStates(final VersionedProcessGroup flow, final VersionedProcessGroup before) {
        final Map<String, VersionedControllerService> known = new HashMap<>();
        services(before).forEach(each -> known.put(each.getIdentifier(), each));
        services(flow).filter(each -> known.containsKey(each.getIdentifier()))
                .forEach(each -> each.setScheduledState(known.get(each.getIdentifier()).getScheduledState()));
    }

    private static Stream<VersionedParameterContext> contexts(final RegisteredFlowSnapshot flow) {
        return flow.getParameterContexts() == null ? Stream.empty()
                : flow.getParameterContexts().values().stream().filter(context -> context.getParameters() != null);
    }

    private static Stream<VersionedConfigurableExtension> extensions(final VersionedProcessGroup flow) {
        return Stream.concat(groups(flow).flatMap(group -> members(group.getProcessors())), services(flow));
    }

    private static Stream<VersionedControllerService> services(final VersionedProcessGroup flow) {
        return groups(flow).flatMap(group -> members(group.getControllerServices()));
    }

    private static Stream<VersionedProcessGroup> groups(final VersionedProcessGroup group) {
        return Stream.concat(Stream.of(group), members(group.getProcessGroups()).flatMap(StableFlow::groups));
    }

    private static <T> Stream<T> members(final Collection<T> members) {
        return members == null ? Stream.empty() : members.stream();
    }
}
