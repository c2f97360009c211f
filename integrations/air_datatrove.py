"""A step of a datatrove pipeline that scores its documents.

    LocalPipelineExecutor([
        JsonlReader("traces/", text_key="response"),
        AirScorer("SmolLM2-135M-Instruct", "heads.json", text_key="response"),
        JsonlWriter("scored/"),
    ], tasks=8, workers=2, logging_dir="logs/").run()

A task is complete when its last document has left the pipeline: a run that died goes on where tasks are missing.
"""
from copy import deepcopy
from itertools import islice

from datatrove.pipeline.base import PipelineStep

import air_stream


class AirScorer(PipelineStep):
    """Puts the object "air" (docs/data-format.md) into each document's metadata.

    model, heads, flags: as of `air score`.
    text_key: the name of the document's text among its metadata, as the reader was told.
    record: a function that makes the record of a document; None: its metadata, its id, its text under text_key.
    batch_size: documents that are scored in one go.
    on_error: "fail" ends the task, "skip" drops the document, "report" keeps it with the reason as metadata "air_error".
    A document of several traces gives a document for each; air's "trace" tells them apart. "line" counts the documents
    of the task.
    """

    type = "🌬 AIR"
    name = "air score"

    def __init__(self, model, heads, *, flags=(), text_key="text", record=None, batch_size=256, on_error="fail", program=None):
        super().__init__()
        self.model, self.heads, self.flags, self.program = str(model), heads, list(map(str, flags)), program
        self.text_key, self.record = text_key, record
        self.batch_size, self.on_error = batch_size, air_stream.on_error_choice(on_error)

    def run(self, data, rank=0, world_size=1):
        documents, line = iter(data or ()), 0
        with air_stream.Stream(self.model, self.heads, flags=self.flags, program=self.program) as stream:
            while batch := list(islice(documents, self.batch_size)):
                with self.track_time("batch"):
                    answers = stream.score([self._record_of(document) for document in batch])
                for document, answer in zip(batch, answers, strict=True):
                    line += 1
                    yield from self._scored(document, answer, line)

    def _record_of(self, document):
        if self.record:
            return self.record(document)
        return document.metadata | {"id": document.id, self.text_key: document.text}

    def _scored(self, document, answer, line):
        if answer.error:
            if self.on_error == "fail":
                raise air_stream.BadRecord(f"document {document.id} cannot be scored: {answer.error}")
            self.stat_update("bad")
            if self.on_error == "report":
                document.metadata["air_error"] = answer.error
                yield document
            return
        for index, air in enumerate(answer.scores):
            scored = document if index == 0 else deepcopy(document)
            scored.metadata = document.metadata | {"air": air | {"line": line}}
            self.stat_update("scored")
            self.update_doc_stats(scored)
            yield scored
