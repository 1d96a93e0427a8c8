package io.pitlane.nifi;

import org.apache.nifi.registry.flow.FlowAlreadyExistsException;
import org.apache.nifi.registry.flow.FlowRegistryException;
import org.apache.nifi.registry.flow.NoSuchBucketException;
import org.apache.nifi.registry.flow.NoSuchFlowException;
import org.apache.nifi.registry.flow.NoSuchFlowVersionException;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Versions of flows as files: DIRECTORY/BUCKET/FLOW/N.json, N counting from 1 without a gap.
 *
 * <p>A version is written once and never changed: it is there whole or not at all, and of two writers of the same
 * version one fails. Other names, such as the hidden files that a killed writer leaves, are no versions.
 */
final class FlowStore {

    /** One folder's name and nothing that leads elsewhere; what begins with a dot is hidden. */
    private static final Pattern NAME = Pattern.compile("[\\p{L}\\p{N}_][\\p{L}\\p{N}_. -]{0,99}");
    private static final Pattern VERSION = Pattern.compile("([1-9][0-9]{0,8})\\.json");
    private static final String NO_LINKS = " (links that lead elsewhere do not count)";

    private final Path directory;

    /** Raises FlowRegistryException when there is no such directory. */
    FlowStore(final Path directory) throws FlowRegistryException {
        try {
            this.directory = directory.toRealPath();
        } catch (final IOException e) {
            throw new FlowRegistryException("NiFi sees no directory " + directory + ": " + reason(e), e);
        }
    }

    List<String> buckets() throws FlowRegistryException {
        return folders(directory);
    }

    List<String> flows(final String bucket) throws FlowRegistryException {
        return folders(bucket(bucket));
    }

    boolean isWritable(final String bucket) throws FlowRegistryException {
        return Files.isWritable(bucket(bucket));
    }

    /** The numbers of the files that are there, in order. */
    List<Integer> versions(final String bucket, final String flow) throws FlowRegistryException {
        try (Stream<Path> files = Files.list(flow(bucket, flow))) {
            return files.map(file -> VERSION.matcher(file.getFileName().toString()))
                    .filter(Matcher::matches).map(name -> Integer.valueOf(name.group(1))).sorted().toList();
        } catch (final IOException e) {
            throw failed("cannot list " + bucket + "/" + flow, e);
        }
    }

    /** The newest version, 0 when there is none yet; raises FlowRegistryException when one before it is missing. */
    int newest(final String bucket, final String flow) throws FlowRegistryException {
        final List<Integer> versions = versions(bucket, flow);
        for (int index = 0; index < versions.size(); index++) {
            if (versions.get(index) != index + 1) {
                throw new FlowRegistryException("%s/%s has %d.json and no %d.json: versions count from 1 without a gap; git brings a lost file back"
                        .formatted(bucket, flow, versions.getLast(), index + 1));
            }
        }
        return versions.size();
    }

    byte[] read(final String bucket, final String flow, final int version) throws FlowRegistryException {
        final Path file = flow(bucket, flow).resolve(version + ".json");
        try {
            if (!isInside(file)) {
                throw new FlowRegistryException(file + " leads out of " + directory);
            }
            return Files.readAllBytes(file);
        } catch (final NoSuchFileException e) {
            throw new NoSuchFlowVersionException("%s/%s has no version %d".formatted(bucket, flow, version), e);
        } catch (final IOException e) {
            throw failed("cannot read %s/%s/%d.json".formatted(bucket, flow, version), e);
        }
    }

    /** Raises FlowAlreadyExistsException when the version is there already, or comes to be there meanwhile. */
    void write(final String bucket, final String flow, final int version, final byte[] content) throws FlowRegistryException {
        final Path folder = flow(bucket, flow);
        final Path file = folder.resolve(version + ".json");
        final Path draft = folder.resolve("." + version + "." + UUID.randomUUID() + ".tmp");
        try {
            writeThrough(draft, content);
            publish(draft, file, content);
        } catch (final FileAlreadyExistsException e) {
            throw new FlowAlreadyExistsException("%s/%s has a version %d already".formatted(bucket, flow, version), e);
        } catch (final IOException e) {
            throw failed("cannot write %s/%s/%d.json".formatted(bucket, flow, version), e);
        } finally {
            discard(draft);
        }
    }

    /** Makes room for the first version of a flow; raises FlowAlreadyExistsException when it has versions. */
    void create(final String bucket, final String flow) throws FlowRegistryException {
        try {
            Files.createDirectory(bucket(bucket).resolve(name(flow)));
        } catch (final FileAlreadyExistsException e) {
            if (!versions(bucket, flow).isEmpty()) {
                throw new FlowAlreadyExistsException(bucket + "/" + flow + " exists already: import it, or choose another name", e);
            }
        } catch (final IOException e) {
            throw failed("cannot create the folder " + bucket + "/" + flow, e);
        }
    }

    /** Takes back what `create` made; raises FlowRegistryException when the flow has versions. */
    void removeEmpty(final String bucket, final String flow) throws FlowRegistryException {
        final Path folder = flow(bucket, flow);
        if (!versions(bucket, flow).isEmpty()) {
            throw new FlowRegistryException(bucket + "/" + flow + " has versions, and NiFi deletes none: git does, with the folder " + folder);
        }
        try {
            Files.delete(folder);
        } catch (final DirectoryNotEmptyException ignored) {
            // somebody else's files: they stay
        } catch (final IOException e) {
            throw failed("cannot remove the folder " + bucket + "/" + flow, e);
        }
    }

    /** In one step, where the file system can: a reader sees the whole file or none. */
    private static void publish(final Path draft, final Path file, final byte[] content) throws IOException {
        try {
            Files.createLink(file, draft);
        } catch (final FileAlreadyExistsException e) {
            throw e;
        } catch (final UnsupportedOperationException | FileSystemException e) {
            writeThrough(file, content); // no hard links here: still never over another file
        }
    }

    private static void discard(final Path draft) {
        try {
            Files.deleteIfExists(draft);
        } catch (final IOException ignored) {
            // hidden, and no version
        }
    }

    /** Writes a new file to the disk; what could not be written whole does not stay. */

    private static void writeThrough(final Path file, final byte[] content) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
            try {
                final ByteBuffer rest = ByteBuffer.wrap(content);
                while (rest.hasRemaining()) {
                    channel.write(rest);
                }
                channel.force(true);
            } catch (final IOException e) {
                Files.delete(file);
                throw e;
            }
        }
    }

    private Path bucket(final String bucket) throws FlowRegistryException {
        final Path folder = directory.resolve(name(bucket));
        if (!isFolder(folder)) {
            throw new NoSuchBucketException("no bucket " + bucket + ": there is no folder " + folder + NO_LINKS);
        }
        return folder;
    }

    private Path flow(final String bucket, final String flow) throws FlowRegistryException {
        final Path folder = bucket(bucket).resolve(name(flow));
        if (!isFolder(folder)) {
            throw new NoSuchFlowException("no flow " + flow + " in the bucket " + bucket + ": there is no folder " + folder + NO_LINKS);
        }
        return folder;
    }

    private static String name(final String name) throws FlowRegistryException {
        if (name == null || !NAME.matcher(name).matches()) {
            throw new FlowRegistryException("'" + name + "' cannot name a folder: letters, digits, spaces and _ . - may, a letter, digit or _ first");
        }
        return name;
    }

    private boolean isFolder(final Path path) {
        try {
            return Files.isDirectory(path) && isInside(path);
        } catch (final IOException e) {
            return false; // gone meanwhile
        }
    }

    /** Whether symbolic links, if there are any, do not lead out of the directory. */
    private boolean isInside(final Path path) throws IOException {
        return path.toRealPath().startsWith(directory);
    }

    private List<String> folders(final Path folder) throws FlowRegistryException {
        try (Stream<Path> members = Files.list(folder)) {
            return members.filter(this::isFolder).map(member -> member.getFileName().toString())
                    .filter(name -> NAME.matcher(name).matches()).sorted().toList();
        } catch (final IOException e) {
            throw failed("cannot list " + folder, e);
        }
    }

    private static FlowRegistryException failed(final String what, final IOException error) {
        return new FlowRegistryException(what + ": " + reason(error), error);
    }

    private static String reason(final IOException error) {
        return switch (error) {
            case NoSuchFileException ignored -> "it does not exist";
            case AccessDeniedException ignored -> "NiFi's user is not allowed to";
            case FileSystemException e when e.getReason() != null -> e.getReason();
            default -> error.toString();
        };
    }
}
