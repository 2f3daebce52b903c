"""Laws of the words themselves: what indexing a batch gives."""

import numpy as np
import pytest
import torch

from tests.conftest import random_batch


@pytest.mark.parametrize("index", [0, 2, -1, -3, np.int64(1)])
def test_an_integer_takes_one_of_the_batch_and_keeps_its_dimension(index):
    obs, actions = random_batch(B=3)
    assert len(obs[index]) == len(actions[index]) == 1
    torch.testing.assert_close(obs[index].image[0], obs.image[index])
    torch.testing.assert_close(obs[index].camera.K[0], obs.camera.K[index])
    torch.testing.assert_close(actions[index].position[0], actions.position[index])


@pytest.mark.parametrize("index", [3, -4])
def test_an_integer_beyond_the_batch_is_refused(index):
    obs, actions = random_batch(B=3)
    for batch in (obs, actions):
        with pytest.raises(IndexError):
            batch[index]
