package io.pitlane.nifi;

import static org.apache.nifi.processor.FlowFileFilter.FlowFileFilterResult.ACCEPT_AND_CONTINUE;
import static org.apache.nifi.processor.FlowFileFilter.FlowFileFilterResult.REJECT_AND_CONTINUE;
import static org.apache.nifi.processor.FlowFileFilter.FlowFileFilterResult.REJECT_AND_TERMINATE;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.apache.nifi.util.MockFlowFile;
import org.junit.jupiter.api.Test;

import java.util.Map;

class EvenShareTest {

    private long ids;

    @Test
    void eachTopicGetsItsShareWhateverTheOthersGot() {
        final EvenShare share = share(32, 16_000);
        for (final String topic : new String[] {"a", "b"}) {
            assertEquals(ACCEPT_AND_CONTINUE, share.filter(flowFile(topic, 10)));
            assertEquals(ACCEPT_AND_CONTINUE, share.filter(flowFile(topic, 10)));
            assertEquals(REJECT_AND_TERMINATE, share.filter(flowFile(topic, 10)));
        }
        assertEquals(REJECT_AND_TERMINATE, share.filter(flowFile("a", 10)), "asked again it stays at that");
    }

    @Test
    void aShareIsOfBytesToo() {
        final EvenShare share = share(1600, 1600);
        assertEquals(ACCEPT_AND_CONTINUE, share.filter(flowFile("a", 60)));
        assertEquals(ACCEPT_AND_CONTINUE, share.filter(flowFile("a", 40)));
        assertEquals(REJECT_AND_TERMINATE, share.filter(flowFile("a", 1)));
        assertEquals(ACCEPT_AND_CONTINUE, share.filter(flowFile("b", 100)));
    }

    @Test
    void whatIsLargerThanAShareGoesAlone() {
        final EvenShare share = share(1600, 1600);
        assertEquals(ACCEPT_AND_CONTINUE, share.filter(flowFile("a", 500)));
        assertEquals(REJECT_AND_TERMINATE, share.filter(flowFile("a", 1)));
    }

    @Test
    void manyTopicsMakeNoLargerBatch() {
        final EvenShare share = share(3, 16_000);
        for (final String topic : new String[] {"a", "b", "c"}) {
            assertEquals(ACCEPT_AND_CONTINUE, share.filter(flowFile(topic, 10)));
        }
        assertEquals(REJECT_AND_TERMINATE, share.filter(flowFile("d", 10)));
    }

    @Test
    void whatIsHeldStaysAndHoldsUpNothingBehindIt() {
        final EvenShare share = share(32, 16_000);
        assertEquals(REJECT_AND_CONTINUE, share.filter(flowFile("held", 10)));
        assertEquals(ACCEPT_AND_CONTINUE, share.filter(flowFile("a", 10)));
    }

    private static EvenShare share(final int flowFiles, final long bytes) {
        return new EvenShare(flowFile -> flowFile.getAttribute("topic"), "held"::equals, flowFiles, bytes);
    }

    private MockFlowFile flowFile(final String topic, final int size) {
        final MockFlowFile made = new MockFlowFile(++ids);
        made.putAttributes(Map.of("topic", topic));
        made.setData(new byte[size]);
        return made;
    }
}
