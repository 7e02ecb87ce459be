-- Attributes of a trace's spans are found by their spans: one index less to write for each of them.

DROP INDEX span_attributes_by_trace;
