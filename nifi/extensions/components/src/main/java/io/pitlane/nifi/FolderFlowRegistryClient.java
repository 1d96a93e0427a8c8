package io.pitlane.nifi;

import org.apache.nifi.annotation.documentation.CapabilityDescription;
import org.apache.nifi.annotation.documentation.Tags;
import org.apache.nifi.components.PropertyDescriptor;
import org.apache.nifi.components.ValidationResult;
import org.apache.nifi.expression.ExpressionLanguageScope;
import org.apache.nifi.registry.flow.AbstractFlowRegistryClient;
import org.apache.nifi.registry.flow.BucketLocation;
import org.apache.nifi.registry.flow.FlowAlreadyExistsException;
import org.apache.nifi.registry.flow.FlowLocation;
import org.apache.nifi.registry.flow.FlowRegistryBucket;
import org.apache.nifi.registry.flow.FlowRegistryClientConfigurationContext;
import org.apache.nifi.registry.flow.FlowRegistryException;
import org.apache.nifi.registry.flow.FlowRegistryPermissions;
import org.apache.nifi.registry.flow.FlowVersionLocation;
import org.apache.nifi.registry.flow.NoSuchFlowVersionException;
import org.apache.nifi.registry.flow.RegisterAction;
import org.apache.nifi.registry.flow.RegisteredFlow;
import org.apache.nifi.registry.flow.RegisteredFlowSnapshot;
import org.apache.nifi.registry.flow.RegisteredFlowSnapshotMetadata;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

@Tags({"flow", "registry", "version", "git", "folder", "pitlane"})
@CapabilityDescription("""
        Keeps versions of flows in a folder, such as one of a git repository: one JSON file a version, in a form that \
        shows with git diff what was changed on the canvas. Existing files are never changed.""")
public class FolderFlowRegistryClient extends AbstractFlowRegistryClient {

    static final PropertyDescriptor DIRECTORY = new PropertyDescriptor.Builder()
            .name("Directory")
            .description("The folder as NiFi sees it, an absolute path. Its sub-folders are buckets, theirs are flows; versions are BUCKET/FLOW/1.json, 2.json …")
            .required(true)
            .expressionLanguageSupported(ExpressionLanguageScope.ENVIRONMENT)
            .addValidator((subject, input, context) -> new ValidationResult.Builder().subject(subject).input(input)
                    .valid(input != null && Path.of(context.newPropertyValue(input).evaluateAttributeExpressions().getValue()).isAbsolute())
                    .explanation("it must be an absolute path").build())
            .build();

    @Override
    protected List<PropertyDescriptor> getSupportedPropertyDescriptors() {
        return List.of(DIRECTORY);
    }

    /** The client gives its flows no storage location: a folder's path is of one machine. */
    @Override
    public boolean isStorageLocationApplicable(final FlowRegistryClientConfigurationContext context, final String storageLocation) {
        return storageLocation == null;
    }

    @Override
    public Set<FlowRegistryBucket> getBuckets(final FlowRegistryClientConfigurationContext context, final String branch) throws FlowRegistryException {
        final FlowStore store = store(context);
        final Set<FlowRegistryBucket> buckets = new LinkedHashSet<>();
        for (final String name : store.buckets()) {
            buckets.add(bucket(store, name));
        }
        return buckets;
    }

    @Override
    public FlowRegistryBucket getBucket(final FlowRegistryClientConfigurationContext context, final BucketLocation location) throws FlowRegistryException {
        return bucket(store(context), location.getBucketId());
    }

    @Override
    public Set<RegisteredFlow> getFlows(final FlowRegistryClientConfigurationContext context, final BucketLocation location) throws FlowRegistryException {
        final FlowStore store = store(context);
        final Set<RegisteredFlow> flows = new LinkedHashSet<>();
        for (final String name : store.flows(location.getBucketId())) {
            flows.add(flow(store, new FlowLocation(location.getBranch(), location.getBucketId(), name)));
        }
        return flows;
    }

    @Override
    public RegisteredFlow getFlow(final FlowRegistryClientConfigurationContext context, final FlowLocation location) throws FlowRegistryException {
        return flow(store(context), location);
    }

    /** A flow's id is its name, which is its folder's. */
    @Override
    public String generateFlowId(final String flowName) {
        return flowName;
    }

    @Override
    public RegisteredFlow registerFlow(final FlowRegistryClientConfigurationContext context, final RegisteredFlow flow) throws FlowRegistryException {
        final FlowStore store = store(context);
        store.create(flow.getBucketIdentifier(), flow.getIdentifier());
        return flow(store, new FlowLocation(flow.getBranch(), flow.getBucketIdentifier(), flow.getIdentifier()));
    }

    /** NiFi asks for this after a first commit that failed; a flow that has versions stays. */
    @Override
    public RegisteredFlow deregisterFlow(final FlowRegistryClientConfigurationContext context, final FlowLocation location) throws FlowRegistryException {
        final FlowStore store = store(context);
        final RegisteredFlow flow = flow(store, location);
        store.removeEmpty(location.getBucketId(), location.getFlowId());
        return flow;
    }

    @Override
    public RegisteredFlowSnapshot getFlowContents(final FlowRegistryClientConfigurationContext context, final FlowVersionLocation location)
            throws FlowRegistryException {
        final FlowStore store = store(context);
        final int newest = store.newest(location.getBucketId(), location.getFlowId());
        final int version = number(location);
        final RegisteredFlowSnapshot snapshot = read(store, location, version);
        snapshot.setBucket(bucket(store, location.getBucketId()));
        snapshot.setFlow(flow(store, location));
        snapshot.setSnapshotMetadata(metadata(snapshot, location, version));
        snapshot.setLatest(version == newest);
        return snapshot;
    }

    @Override
    public RegisteredFlowSnapshot registerFlowSnapshot(
            final FlowRegistryClientConfigurationContext context, final RegisteredFlowSnapshot snapshot, final RegisterAction action)
            throws FlowRegistryException {
        final FlowStore store = store(context);
        final RegisteredFlowSnapshotMetadata metadata = snapshot.getSnapshotMetadata();
        final FlowLocation location = new FlowLocation(metadata.getBranch(), metadata.getBucketIdentifier(), metadata.getFlowIdentifier());
        final int newest = store.newest(location.getBucketId(), location.getFlowId());
        final String basis = metadata.getVersion();
        if (action != RegisterAction.FORCE_COMMIT && !Objects.equals(basis, newest == 0 ? null : String.valueOf(newest))) {
            throw new FlowRegistryException("%s is behind: this group is %s, and %d is the newest. Change to that first, or commit by force"
                    .formatted(location.getFlowId(), basis == null ? "no version of it" : "version " + basis, newest));
        }
        final RegisteredFlowSnapshot before = newest == 0 ? null : read(store, location, newest);
        metadata.setVersion(String.valueOf(newest + 1));
        try {
            store.write(location.getBucketId(), location.getFlowId(), newest + 1, FlowJson.write(StableFlow.of(snapshot, before)));
        } catch (final FlowAlreadyExistsException e) {
            metadata.setVersion(basis);
            throw new FlowRegistryException("%s is behind: somebody else has just committed version %d. Nothing is lost: change to that, then commit again"
                    .formatted(location.getFlowId(), newest + 1), e);
        } catch (final IOException e) {
            throw new IllegalArgumentException("A flow that does not survive being told as JSON", e);
        }
        snapshot.setBucket(bucket(store, location.getBucketId()));
        snapshot.setFlow(flow(store, location));
        snapshot.setLatest(true);
        return snapshot;
    }

    @Override
    public Set<RegisteredFlowSnapshotMetadata> getFlowVersions(final FlowRegistryClientConfigurationContext context, final FlowLocation location)
            throws FlowRegistryException {
        final FlowStore store = store(context);
        final Set<RegisteredFlowSnapshotMetadata> versions = new LinkedHashSet<>();
        for (int version = store.newest(location.getBucketId(), location.getFlowId()); version > 0; version--) {
            versions.add(metadata(read(store, location, version), location, version));
        }
        return versions;
    }

    @Override
    public Optional<String> getLatestVersion(final FlowRegistryClientConfigurationContext context, final FlowLocation location) throws FlowRegistryException {
        final int newest = store(context).newest(location.getBucketId(), location.getFlowId());
        return newest == 0 ? Optional.empty() : Optional.of(String.valueOf(newest));
    }

    private static FlowStore store(final FlowRegistryClientConfigurationContext context) throws FlowRegistryException {
        return new FlowStore(Path.of(context.getProperty(DIRECTORY).evaluateAttributeExpressions().getValue()));
    }

    private static int number(final FlowVersionLocation location) throws FlowRegistryException {
        try {
            return Integer.parseInt(location.getVersion());
        } catch (final NumberFormatException e) {
            throw new NoSuchFlowVersionException("%s/%s has no version %s: versions are numbers"
                    .formatted(location.getBucketId(), location.getFlowId(), location.getVersion()), e);
        }
    }

    private static RegisteredFlowSnapshot read(final FlowStore store, final FlowLocation location, final int version) throws FlowRegistryException {
        final byte[] text = store.read(location.getBucketId(), location.getFlowId(), version);
        try {
            final RegisteredFlowSnapshot snapshot = FlowJson.read(text);
            // A file that was put there by hand may lack what NiFi takes for granted.
            snapshot.setParameterContexts(Objects.requireNonNullElseGet(snapshot.getParameterContexts(), HashMap::new));
            snapshot.setParameterProviders(Objects.requireNonNullElseGet(snapshot.getParameterProviders(), HashMap::new));
            snapshot.setExternalControllerServices(Objects.requireNonNullElseGet(snapshot.getExternalControllerServices(), HashMap::new));
            return snapshot;
        } catch (final IOException e) {
            throw new FlowRegistryException("%s/%s/%d.json is no flow: %s"
                    .formatted(location.getBucketId(), location.getFlowId(), version, e.getMessage()), e);
        }
    }

    /** The file's name has the last word about the version. */
    private static RegisteredFlowSnapshotMetadata metadata(final RegisteredFlowSnapshot snapshot, final FlowLocation location, final int version) {
        final RegisteredFlowSnapshotMetadata metadata =
                Objects.requireNonNullElseGet(snapshot.getSnapshotMetadata(), RegisteredFlowSnapshotMetadata::new);
        metadata.setBranch(location.getBranch());
        metadata.setBucketIdentifier(location.getBucketId());
        metadata.setFlowIdentifier(location.getFlowId());
        metadata.setVersion(String.valueOf(version));
        return metadata;
    }

    private static RegisteredFlow flow(final FlowStore store, final FlowLocation location) throws FlowRegistryException {
        final RegisteredFlow flow = new RegisteredFlow();
        flow.setIdentifier(location.getFlowId());
        flow.setName(location.getFlowId());
        flow.setBranch(location.getBranch());
        flow.setBucketIdentifier(location.getBucketId());
        flow.setBucketName(location.getBucketId());
        flow.setVersionCount(store.versions(location.getBucketId(), location.getFlowId()).size());
        flow.setPermissions(permissions(store, location.getBucketId()));
        return flow;
    }

    private static FlowRegistryBucket bucket(final FlowStore store, final String name) throws FlowRegistryException {
        final FlowRegistryBucket bucket = new FlowRegistryBucket();
        bucket.setIdentifier(name);
        bucket.setName(name);
        bucket.setPermissions(permissions(store, name));
        return bucket;
    }

    private static FlowRegistryPermissions permissions(final FlowStore store, final String bucket) throws FlowRegistryException {
        final FlowRegistryPermissions permissions = new FlowRegistryPermissions();
        permissions.setCanRead(true);
        permissions.setCanWrite(store.isWritable(bucket));
        permissions.setCanDelete(false);
        return permissions;
    }
}
