"""The evaluation of the paper's release: fixed episodes, read from its files."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from lcl_lab import concepts
from lcl_lab.concepts.dataset_wrapper import DatasetWrapper
from lcl_lab.episodes.arguments import check_integer
from lcl_lab.episodes.episode import Episode, Example
from lcl_lab.errors import UserError

__all__ = ["FINAL_QUESTION", "ReleaseEpisodes"]

FINAL_QUESTION = "Based on the previous examples, what is in the image?"
"""The release's question about the query, whether or not there are examples."""
_SHUFFLE = 5  # random stream


class ReleaseEpisodes(DatasetWrapper):
    """A `Dataset` whose episodes are those of a file of the release; `draw_episode` returns them.

    Args:
        name: `isekai-10`, `isekai-pair`, `isekai:FILE` or `imagenet:FILE`.

    Attributes:
        queries: the queries in the order of the file; query ids are their indices.

    Raises:
        UserError: the name is none of these, or the file is missing, damaged or not one for evaluation.
    """

    def __init__(self, name: str) -> None:
        dataset, self.queries = concepts.read_release_queries(name)
        concepts.check_dataset(dataset, "data", name)
        super().__init__(dataset)

    @property
    def fingerprint(self) -> str:
        """Covers concepts, pairs, images and queries."""
        queries = [
            (query.image[1:], query.names, [[image[1:] for image in images] for images in query.supports])
            for query in self.queries
        ]
        content = [self._dataset.fingerprint, queries]
        return blake2b(repr(content).encode(), digest_size=8).hexdigest()

    @property
    def most_shots(self) -> int:
        """The largest number of shots that every query has images for."""
        return min(map(self._most_shots, range(len(self.queries))))

    def check_shots(self, shots: int) -> None:
        """Check that every query has enough support images.

        Args:
            shots: the number of images in a support, half of each concept. The release counts that half.

        Raises:
            UserError: the number is odd or negative, or a query has fewer images.
        """
        check_integer("shots", shots)
        scarcest = min(range(len(self.queries)), key=self._most_shots)
        most = self._most_shots(scarcest)
        if shots % 2:
            reason = f"half of the shots belong to each of two concepts; give an even number up to {most}"
            raise UserError(reason, option="shots", value=shots)
        if shots > most:
            raise UserError(f"query {scarcest} of {self.name} has images for {most}", option="shots", value=shots)

    def draw(self, seed: int, query_id: int, shots: int) -> Episode:
        """The episode of one query: the first shots / 2 images of each concept, in random order.

        Args:
            seed: the study seed.
            query_id: the index of the query.
            shots: the number of images in the support, half of each concept.

        Raises:
            UserError: there are fewer queries or images.
        """
        if query_id >= len(self.queries):
            raise UserError(f"{self.name} has {len(self.queries)} queries", option="queries", value=query_id + 1)
        if shots % 2 or shots > self._most_shots(query_id):
            self.check_shots(shots)
        query = self.queries[query_id]
        support = [
            Example(image, name, name)
            for name, images in zip(query.names, query.supports, strict=True)
            for image in images[: shots // 2]
        ]
        order = np.random.default_rng([seed, query_id, _SHUFFLE, shots]).permutation(shots)
        return Episode(
            data=self.name,
            seed=seed,
            query_id=query_id,
            support_id=query_id,
            pair=str(query.pair),
            support=tuple(support[place] for place in order),
            query=query.image,
            true_name=query.names[0],
            other_name=query.names[1],
            final_question=FINAL_QUESTION,
            dataset=self,
        )

    def _most_shots(self, query_id: int) -> int:
        return 2 * min(map(len, self.queries[query_id].supports))
