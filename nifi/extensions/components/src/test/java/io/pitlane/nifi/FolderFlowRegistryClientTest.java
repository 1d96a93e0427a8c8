package io.pitlane.nifi;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.nifi.components.PropertyDescriptor;
import org.apache.nifi.components.PropertyValue;
import org.apache.nifi.components.ValidationResult;
import org.apache.nifi.flow.ScheduledState;
import org.apache.nifi.flow.VersionedComponent;
import org.apache.nifi.flow.VersionedFlowCoordinates;
import org.apache.nifi.flow.VersionedParameter;
import org.apache.nifi.flow.VersionedProcessGroup;
import org.apache.nifi.registry.flow.BucketLocation;
import org.apache.nifi.registry.flow.FlowAlreadyExistsException;
import org.apache.nifi.registry.flow.FlowLocation;
import org.apache.nifi.registry.flow.FlowRegistryBucket;
import org.apache.nifi.registry.flow.FlowRegistryClientConfigurationContext;
import org.apache.nifi.registry.flow.FlowRegistryException;
import org.apache.nifi.registry.flow.FlowVersionLocation;
import org.apache.nifi.registry.flow.NoSuchBucketException;
import org.apache.nifi.registry.flow.NoSuchFlowException;
import org.apache.nifi.registry.flow.NoSuchFlowVersionException;
import org.apache.nifi.registry.flow.RegisterAction;
import org.apache.nifi.registry.flow.RegisteredFlow;
import org.apache.nifi.registry.flow.RegisteredFlowSnapshot;
import org.apache.nifi.registry.flow.RegisteredFlowSnapshotMetadata;
import org.apache.nifi.registry.flow.diff.EvolvingDifferenceDescriptor;
import org.apache.nifi.registry.flow.diff.FlowComparatorVersionedStrategy;
import org.apache.nifi.registry.flow.diff.FlowDifference;
import org.apache.nifi.registry.flow.diff.StandardComparableDataFlow;
import org.apache.nifi.registry.flow.diff.StandardFlowComparator;
import org.apache.nifi.util.MockProcessContext;
import org.apache.nifi.util.MockPropertyValue;
import org.apache.nifi.util.MockValidationContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;

class FolderFlowRegistryClientTest {
    static final String BUCKET = "races";
    private static final String FLOW = SampleFlow.FLOW;
    private static final FlowLocation LOCATION = new FlowLocation("main", BUCKET, FLOW);

    @TempDir
    Path temporary;
    private Path directory;
    private final FolderFlowRegistryClient client = new FolderFlowRegistryClient();

    @BeforeEach
    void makeBucket() throws IOException {
        directory = temporary.resolve("flows");
        Files.createDirectories(directory.resolve(BUCKET));
    }

    @Test
    void aVersionIsReadBackEqual() throws Exception {
        final SampleFlow flow = new SampleFlow(1);
        flow.publish.getProperties().remove("sasl.jaas.config"); // NiFi does not hand it over either
        final RegisteredFlowSnapshot committed = commitFirst(flow);
        assertEquals("1", committed.getSnapshotMetadata().getVersion());
        assertEquals(BUCKET, committed.getBucket().getIdentifier());
        assertEquals(FLOW, committed.getFlow().getIdentifier());
        assertTrue(committed.isLatest());

        final RegisteredFlowSnapshot read = contents(1);
        assertEquals(Set.of(), differences(flow.contents, read.getFlowContents()));
        assertEquals(List.of("keystore=/etc/1", "password=null", "port=981"), parameters(read));
        assertTrue(read.isLatest());
        assertEquals(FLOW, read.getFlow().getName());
        assertEquals(1, read.getFlow().getVersionCount());
        assertEquals(List.of("anna", "first", "1", BUCKET, FLOW, "main"), Stream.<Function<RegisteredFlowSnapshotMetadata, String>>of(
                RegisteredFlowSnapshotMetadata::getAuthor, RegisteredFlowSnapshotMetadata::getComments, RegisteredFlowSnapshotMetadata::getVersion,
                RegisteredFlowSnapshotMetadata::getBucketIdentifier, RegisteredFlowSnapshotMetadata::getFlowIdentifier,
                RegisteredFlowSnapshotMetadata::getBranch).map(member -> member.apply(read.getSnapshotMetadata())).toList());
        assertEquals(committed.getSnapshotMetadata().getTimestamp(), read.getSnapshotMetadata().getTimestamp());
    }

    @Test
    void theSameFlowIsTheSameTextWhicheverNiFiCommitsIt() throws Exception {
        commitFirst(new SampleFlow(1));
        for (int version = 1; version < 10; version++) {
            final SampleFlow elsewhere = new SampleFlow(version + 1);
            elsewhere.contextName = "places (" + version + ")"; // so NiFi names a second one
            commit(elsewhere, String.valueOf(version));
            assertEquals(flowOf(1), flowOf(version + 1));
        }
        assertEquals("telemetry of 1", contents(10).getFlowContents().getName());
    }

    @Test
    void aChangeOfOnePropertyIsAChangeOfOneLine() throws Exception {
        commitFirst(new SampleFlow(1));
        final SampleFlow changed = new SampleFlow(2);
        changed.publish.getProperties().put("Topic", "f1.other");
        commit(changed, "1");

        final List<String> before = flowOf(1).lines().toList();
        final List<String> after = flowOf(2).lines().toList();
        assertEquals(before.size(), after.size());
        assertEquals(List.of("\"Topic\": \"f1.ü\",", "\"Topic\": \"f1.other\","), IntStream.range(0, before.size())
                .filter(line -> !before.get(line).equals(after.get(line))).boxed()
                .flatMap(line -> Stream.of(before.get(line).strip(), after.get(line).strip())).toList());
        assertEquals(1, differences(contents(1).getFlowContents(), contents(2).getFlowContents()).size());
    }

    @Test
    void secretsAndWhatOneNiFiAloneKnowsAreNotInTheFile() throws Exception {
        commitFirst(new SampleFlow(1));
        final String text = text(1);
        for (final String absent : List.of(SampleFlow.SECRET, "instance-", "instanceI", "what receive is for\",\n          \"groupId",
                "registryId", "storageLocation", "\"The Port\"", "\"The Topic\"", "\"The Unused Service\"", "resourceDefinition", "null")) {
            assertFalse(text.contains(absent), absent);
        }
        for (final String present : List.of("\"The SSL\"", "\"The Password\"", "\"The sasl.jaas.config\"", "\"The linger.ms\"",
                "\"latest\": \"yes\"", "\"flow\": \"a\"", "\"bucket\": \"b\"", "\"Password\": \"#{password}\"", "f1.ü")) {
            assertTrue(text.contains(present), present);
        }
        assertEquals(1, text.split("what receive is for", -1).length - 1, "comments stand once, not at each connection");
        assertTrue(text.endsWith("}\n"));
    }

    @Test
    void orderThatMeansSomethingStays() throws Exception {
        commitFirst(new SampleFlow(1));
        final var connection = contents(1).getFlowContents().getConnections().iterator().next();
        assertEquals(List.of(9.0, 3.0), connection.getBends().stream().map(bend -> bend.getX()).toList());
        assertEquals(List.of("org.example.Second", "org.example.First"), connection.getPrioritizers());
    }

    @Test
    void aNestedVersionedFlowKeepsItsCoordinatesWithoutTheRegistryOfOneNiFi() throws Exception {
        final SampleFlow flow = new SampleFlow(1);
        final VersionedFlowCoordinates coordinates = new VersionedFlowCoordinates();
        coordinates.setRegistryId("registry of one NiFi");
        coordinates.setStorageLocation("a place");
        coordinates.setBucketId("b");
        coordinates.setFlowId("f");
        coordinates.setVersion("7");
        flow.contents.getProcessGroups().iterator().next().setVersionedFlowCoordinates(coordinates);
        commitFirst(flow);

        final VersionedFlowCoordinates read = contents(1).getFlowContents().getProcessGroups().iterator().next().getVersionedFlowCoordinates();
        assertEquals(List.of("b", "f", "7"), List.of(read.getBucketId(), read.getFlowId(), read.getVersion()));
        assertNull(read.getRegistryId());
        assertNull(read.getStorageLocation());
        assertTrue(client.isStorageLocationApplicable(context(), null));
    }

    @Test
    void parametersKeepTheValuesOfTheVersionBefore() throws Exception {
        commitFirst(new SampleFlow(1));
        final SampleFlow elsewhere = new SampleFlow(2);
        elsewhere.parameter("topic", "f1.new", false);
        elsewhere.parameters.remove("port");
        commit(elsewhere, "1");
        assertEquals(List.of("keystore=/etc/1", "password=null", "topic=f1.new"), parameters(contents(2)));

        final SampleFlow renamed = new SampleFlow(3);
        renamed.contextName = "other places";
        commit(renamed, "2");
        assertEquals(List.of("keystore=/etc/1", "password=null", "port=983"), parameters(contents(3)));
        assertEquals(Set.of("other places"), contents(3).getParameterContexts().keySet());
    }

    @Test
    void whatIsOnOrOffStaysAsItWasButAProcessorThatAPersonDisabled() throws Exception {
        commitFirst(new SampleFlow(2));
        final SampleFlow other = new SampleFlow(3);
        assertEquals(ScheduledState.DISABLED, other.tls.getScheduledState());
        other.publish.setScheduledState(ScheduledState.DISABLED);
        commit(other, "1");

        final VersionedProcessGroup read = contents(2).getFlowContents();
        assertEquals(ScheduledState.ENABLED, read.getControllerServices().iterator().next().getScheduledState());
        assertTrue(read.getProcessors().stream().anyMatch(each -> each.getScheduledState() == ScheduledState.DISABLED));
    }

    @Test
    void aCommitThatIsBehindIsRefusedUnlessByForce() throws Exception {
        commitFirst(new SampleFlow(1));
        commit(new SampleFlow(1), "1");
        final byte[] second = Files.readAllBytes(file(2));

        assertRefused("telemetry is behind: this group is version 1, and 2 is the newest", () -> commit(new SampleFlow(3), "1"));
        assertRefused("this group is no version of it", () -> commit(new SampleFlow(3), null));
        assertRefused("this group is version 5, and 2 is the newest", () -> commit(new SampleFlow(3), "5"));
        assertEquals(Set.of("1.json", "2.json"), files(BUCKET, FLOW));

        final RegisteredFlowSnapshot forced =
                client.registerFlowSnapshot(context(), new SampleFlow(3).snapshot("1", "by force"), RegisterAction.FORCE_COMMIT);
        assertEquals("3", forced.getSnapshotMetadata().getVersion());
        assertEquals(Optional.of("3"), client.getLatestVersion(context(), LOCATION));
        assertFalse(contents(2).isLatest());
        assertArrayEquals(second, Files.readAllBytes(file(2)));
    }

    @Test
    void ofCommitsAtOnceExactlyOneWins() throws Exception {
        commitFirst(new SampleFlow(1));
        final int clients = 4;
        try (ExecutorService pool = Executors.newFixedThreadPool(clients)) {
            for (int round = 1; round <= 25; round++) {
                final String basis = String.valueOf(round);
                final CyclicBarrier start = new CyclicBarrier(clients);
                final List<Future<String>> commits = new ArrayList<>();
                for (int number = 0; number < clients; number++) {
                    final SampleFlow flow = new SampleFlow(number);
                    flow.receive.setYieldDuration(round + "00" + number + " sec");
                    commits.add(pool.submit(() -> {
                        start.await();
                        new FolderFlowRegistryClient().registerFlowSnapshot(context(), flow.snapshot(basis, "mine"), RegisterAction.COMMIT);
                        return flow.receive.getYieldDuration();
                    }));
                }
                final List<String> winners = new ArrayList<>();
                for (final Future<String> commit : commits) {
                    try {
                        winners.add(commit.get());
                    } catch (final ExecutionException e) {
                        assertInstanceOf(FlowRegistryException.class, e.getCause());
                        assertTrue(e.getCause().getMessage().contains("is behind"), e.getCause().getMessage());
                    }
                }
                assertEquals(1, winners.size());
                assertTrue(contents(round + 1).getFlowContents().getProcessors().stream()
                        .anyMatch(each -> winners.getFirst().equals(each.getYieldDuration())));
                assertEquals(round + 1, files(BUCKET, FLOW).size(), "drafts are gone");
            }
        }
    }

    @Test
    void aFileThatIsThereIsNeverWrittenOver() throws Exception {
        commitFirst(new SampleFlow(1));
        final FlowStore store = new FlowStore(directory);
        final byte[] before = Files.readAllBytes(file(1));
        assertThrows(FlowAlreadyExistsException.class, () -> store.write(BUCKET, FLOW, 1, new byte[] {1}));
        assertArrayEquals(before, Files.readAllBytes(file(1)));
        assertEquals(Set.of("1.json"), files(BUCKET, FLOW));
    }

    @Test
    void whereThereAreNoHardLinksNothingIsWrittenOverEither() throws Exception {
        try (FileSystem noLinks = FileSystems.newFileSystem(temporary.resolve("flows.zip"), Map.of("create", "true"))) {
            Files.createDirectories(noLinks.getPath("/", BUCKET, FLOW));
            final FlowStore store = new FlowStore(noLinks.getPath("/"));
            store.write(BUCKET, FLOW, 1, new byte[] {1, 2});
            assertThrows(FlowAlreadyExistsException.class, () -> store.write(BUCKET, FLOW, 1, new byte[] {3}));
            assertArrayEquals(new byte[] {1, 2}, store.read(BUCKET, FLOW, 1));
            assertEquals(1, store.newest(BUCKET, FLOW));
            try (Stream<Path> files = Files.list(noLinks.getPath("/", BUCKET, FLOW))) {
                assertEquals(1, files.count());
            }
        }
    }

    @Test
    void whatAKilledWriterOrAPersonLeavesIsNoVersion() throws Exception {
        commitFirst(new SampleFlow(1));
        for (final String name : List.of(".2.0f8c.tmp", "2.json~", "02.json", "0.json", "notes.md", "x2.json")) {
            Files.writeString(file(1).resolveSibling(name), "half a fl");
        }
        assertEquals(Optional.of("1"), client.getLatestVersion(context(), LOCATION));
        commit(new SampleFlow(2), "1");
        assertEquals(List.of("2", "1"), client.getFlowVersions(context(), LOCATION).stream().map(RegisteredFlowSnapshotMetadata::getVersion).toList());
        assertEquals("half a fl", Files.readString(file(1).resolveSibling(".2.0f8c.tmp")));
    }

    @Test
    void aFlowIsRegisteredOnceAndDeletedOnlyWhileItHasNoVersion() throws Exception {
        final RegisteredFlow flow = new RegisteredFlow();
        flow.setBucketIdentifier(BUCKET);
        flow.setIdentifier(client.generateFlowId(FLOW));
        assertEquals(FLOW, client.registerFlow(context(), flow).getIdentifier());
        assertEquals(Optional.empty(), client.getLatestVersion(context(), LOCATION));
        client.deregisterFlow(context(), LOCATION); // what NiFi does after a first commit that failed
        assertFalse(Files.exists(file(1).getParent()));

        commitFirst(new SampleFlow(1));
        assertThrows(FlowAlreadyExistsException.class, () -> client.registerFlow(context(), flow));
        assertRefused("has versions", () -> client.deregisterFlow(context(), LOCATION));
        assertEquals(Set.of("1.json"), files(BUCKET, FLOW));
    }

    @Test
    void bucketsAndFlowsAreFoldersThatAreNotHidden() throws Exception {
        commitFirst(new SampleFlow(1));
        Files.createDirectories(directory.resolve(".git"));
        Files.createDirectories(directory.resolve("archive"));
        Files.writeString(directory.resolve("README.md"), "");
        assertEquals(List.of("archive", BUCKET), client.getBuckets(context(), "main").stream().map(FlowRegistryBucket::getIdentifier).toList());
        final Set<RegisteredFlow> flows = client.getFlows(context(), new BucketLocation("main", BUCKET));
        assertEquals(List.of(FLOW), flows.stream().map(RegisteredFlow::getIdentifier).toList());
        final FlowRegistryBucket bucket = client.getBucket(context(), LOCATION);
        assertTrue(bucket.getPermissions().getCanRead() && bucket.getPermissions().getCanWrite());
        assertFalse(bucket.getPermissions().getCanDelete());
    }

    @Test
    void whatIsNotThereIsSaid() throws Exception {
        assertThrows(NoSuchBucketException.class, () -> client.getFlows(context(), new BucketLocation("main", "absent")));
        assertThrows(NoSuchFlowException.class, () -> client.getFlow(context(), LOCATION));
        commitFirst(new SampleFlow(1));
        assertThrows(NoSuchFlowVersionException.class, () -> contents(2));
        assertThrows(NoSuchFlowVersionException.class, () ->
                client.getFlowContents(context(), new FlowVersionLocation("main", BUCKET, FLOW, "../1")));

        Files.move(directory, temporary.resolve("elsewhere"));
        assertRefused("NiFi sees no directory " + directory, () -> client.getBuckets(context(), "main"));
        assertRefused("it does not exist", () -> commit(new SampleFlow(2), "1"));
    }

    @Test
    void aFolderThatCannotBeWrittenToIsSaid() throws Exception {
        // Tests may run as root, who may write almost anywhere: here, on Linux or macOS, even root may not.
        final Path forbidden = Stream.of("/sys/kernel/mm", "/System/Library/Fonts").map(Path::of).filter(Files::exists).findFirst().orElseThrow();
        directory = forbidden.getParent().getParent();
        final String bucket = forbidden.getParent().getFileName().toString();
        final String existing = forbidden.getFileName().toString();
        final RegisteredFlow flow = new RegisteredFlow();
        flow.setBucketIdentifier(bucket);
        flow.setIdentifier(FLOW);
        assertRefused("cannot create the folder " + bucket + "/telemetry: ", () -> client.registerFlow(context(), flow));
        assertRefused("cannot write %s/%s/1.json: ".formatted(bucket, existing),
                () -> new FlowStore(directory).write(bucket, existing, 1, new byte[0]));
    }

    @Test
    void aFileThatIsNoFlowIsNamedAndStopsWhatWouldBuildOnIt() throws Exception {
        commitFirst(new SampleFlow(1));
        commit(new SampleFlow(1), "1");
        final Map<String, String> broken = Map.of(
                "{\"flowContents\":\n <<<<<<< HEAD", "line 2, column ",
                text(1).substring(0, text(1).length() / 2), "line ",
                "", "No content",
                "{}", "it has no flowContents",
                "null", "it has no flowContents",
                "[1, 2]", "line 1");
        for (final Map.Entry<String, String> each : broken.entrySet()) {
            Files.writeString(file(2), each.getKey());
            assertRefused("races/telemetry/2.json is no flow: ", () -> contents(2));
            assertRefused(each.getValue(), () -> client.getFlowVersions(context(), LOCATION));
            assertRefused(each.getValue(), () -> commit(new SampleFlow(1), "2"));
            assertEquals(FLOW, contents(1).getFlow().getName());
            assertEquals(Set.of("1.json", "2.json"), files(BUCKET, FLOW));
        }
    }

    @Test
    void aGapInTheNumbersIsSaid() throws Exception {
        commitFirst(new SampleFlow(1));
        commit(new SampleFlow(1), "1");
        commit(new SampleFlow(1), "2");
        Files.delete(file(2));
        final String gap = "races/telemetry has 3.json and no 2.json";
        assertRefused(gap, () -> client.getLatestVersion(context(), LOCATION));
        assertRefused(gap, () -> client.getFlowVersions(context(), LOCATION));
        assertRefused(gap, () -> commit(new SampleFlow(1), "3"));
        assertEquals(1, client.getFlows(context(), LOCATION).size());
        assertEquals(Set.of("1.json", "3.json"), files(BUCKET, FLOW));
    }

    @Test
    void aDefinitionThatAPersonPutsThereIsAVersion() throws Exception {
        Files.createDirectories(file(1).getParent());
        Files.writeString(file(1), """
                {"flowContents": {"identifier": "a", "name": "n", "processors": [], "unheardOf": {"x": 1}, "instanceIdentifier": "b"},
                 "latest": false, "flowEncodingVersion": "1.0"}""");
        final RegisteredFlowSnapshot read = contents(1);
        assertEquals("1", read.getSnapshotMetadata().getVersion());
        assertEquals(Map.of(), read.getParameterContexts());
        assertEquals(Map.of(), read.getExternalControllerServices());
        commit(new SampleFlow(1), "1");
        assertEquals("a", contents(2).getFlowContents().getIdentifier());
    }

    @Test
    void namesWithPathPartsAreRefused() throws IOException {
        for (final String name : List.of("../x", "..", ".", "", " ", ".hidden", "a/b", "/etc", "a\\b", "a\nb", "x".repeat(101))) {
            final RegisteredFlow flow = new RegisteredFlow();
            flow.setBucketIdentifier(BUCKET);
            flow.setIdentifier(name);
            assertRefused("cannot name a folder", () -> client.registerFlow(context(), flow));
            assertRefused("cannot name a folder", () -> client.getFlow(context(), new FlowLocation("main", BUCKET, name)));
            assertRefused("cannot name a folder", () -> client.getFlows(context(), new BucketLocation("main", name)));
        }
        assertEquals(Set.of("flows"), files(".."));
        assertEquals(Set.of(BUCKET), files());
    }

    @Test
    void linksThatLeadOutOfTheDirectoryAreNotFollowed() throws Exception {
        commitFirst(new SampleFlow(1));
        final Path outside = Files.createDirectories(temporary.resolve("outside").resolve(FLOW)).getParent();
        Files.copy(file(1), outside.resolve(FLOW).resolve("1.json"));
        Files.createSymbolicLink(directory.resolve("way-out"), outside);
        Files.createSymbolicLink(directory.resolve(BUCKET).resolve("way-out"), outside.resolve(FLOW));
        Files.createSymbolicLink(file(2), outside.resolve(FLOW).resolve("1.json"));

        assertEquals(1, client.getBuckets(context(), "main").size());
        assertEquals(1, client.getFlows(context(), LOCATION).size());
        assertThrows(NoSuchBucketException.class, () -> client.getBucket(context(), new BucketLocation("main", "way-out")));
        assertThrows(NoSuchFlowException.class, () -> client.getLatestVersion(context(), new FlowLocation("main", BUCKET, "way-out")));
        assertRefused("leads out of", () -> contents(2));
    }

    @Test
    void theDirectoryIsAnAbsolutePath() {
        assertTrue(problems(directory.toString()).isEmpty());
        assertEquals(1, problems("nifi/flow").size());
    }

    private Collection<ValidationResult> problems(final String path) {
        final MockProcessContext context = new MockProcessContext(client);
        context.setProperty(FolderFlowRegistryClient.DIRECTORY, path);
        return client.validate(new MockValidationContext(context));
    }

    private RegisteredFlowSnapshot commitFirst(final SampleFlow flow) throws Exception {
        final RegisteredFlow registered = new RegisteredFlow();
        registered.setBucketIdentifier(BUCKET);
        registered.setIdentifier(FLOW);
        client.registerFlow(context(), registered);
        return client.registerFlowSnapshot(context(), flow.snapshot(null, "first"), RegisterAction.COMMIT);
    }

    private void commit(final SampleFlow flow, final String basis) throws FlowRegistryException {
        client.registerFlowSnapshot(context(), flow.snapshot(basis, "another"), RegisterAction.COMMIT);
    }

    private RegisteredFlowSnapshot contents(final int version) throws FlowRegistryException {
        return client.getFlowContents(context(), new FlowVersionLocation("main", BUCKET, FLOW, String.valueOf(version)));
    }

    private Path file(final int version) {
        return directory.resolve(BUCKET).resolve(FLOW).resolve(version + ".json");
    }

    private String text(final int version) throws IOException {
        return Files.readString(file(version));
    }

    /** The text of a version up to what tells of the commit. */
    private String flowOf(final int version) throws IOException {
        final String text = text(version);
        return text.substring(0, text.indexOf("\"snapshotMetadata\""));
    }

    private Set<String> files(final String... below) throws IOException {
        try (Stream<Path> files = Files.list(Path.of(directory.toString(), below))) {
            return Set.copyOf(files.map(file -> file.getFileName().toString()).toList());
        }
    }

    private static List<String> parameters(final RegisteredFlowSnapshot snapshot) {
        return snapshot.getParameterContexts().values().stream().flatMap(context -> context.getParameters().stream())
                .map((VersionedParameter each) -> each.getName() + "=" + each.getValue()).sorted().toList();
    }

    /** What NiFi itself would call changed. */
    private static Set<FlowDifference> differences(final VersionedProcessGroup before, final VersionedProcessGroup after) {
        return new StandardFlowComparator(new StandardComparableDataFlow("before", before), new StandardComparableDataFlow("after", after),
                Set.of(), new EvolvingDifferenceDescriptor(), Function.identity(), VersionedComponent::getIdentifier,
                FlowComparatorVersionedStrategy.DEEP).compare().getDifferences();
    }

    private static void assertRefused(final String message, final Executable action) {
        final FlowRegistryException error = assertThrows(FlowRegistryException.class, action);
        assertTrue(error.getMessage().contains(message), error.getMessage());
    }

    private FlowRegistryClientConfigurationContext context() {
        return new Context(directory.toString());
    }

    private record Context(String directory) implements FlowRegistryClientConfigurationContext {
        @Override
        public Optional<String> getNiFiUserIdentity() {
            return Optional.of("anna");
        }

        @Override
        public PropertyValue getProperty(final PropertyDescriptor descriptor) {
            return new MockPropertyValue(directory);
        }

        @Override
        public Map<String, String> getAllProperties() {
            return Map.of(FolderFlowRegistryClient.DIRECTORY.getName(), directory);
        }
    }
}
