"""The paper's numbers, to set ours beside. Imports no torch.

Source:
    arXiv 2502.06034 and the scores published with its code: means and sample standard deviations over seeds.
"""

from dataclasses import dataclass

# network, seeds, parameters in use, then mean and std of accuracy, of foreground accuracy and of foreground IoU,
# least, median and largest foreground IoU, mean loss, seeds that ended at background only. A dash was not published.
_TABLES = {
    "tetrominoes": """
nwm-linear  10 176124  .9974 .0008  .9866 .0040  .9768 .0067   .96  .98  .99  .0079  0
nwm-fft     10 171024  .9967 .0013  .9830 .0065  .9709 .0105   .95  .97  .98  .0101  0
nwm-last    10 145424  .9900 .0090  .9419 .0578  .9031 .0944   .70  .95  .97  .0306  0
nwm-mean    10 145424  .9871 .0102  .9209 .0691  .8690 .1103   .65  .89  .98  .0352  0
nwm-max     10 145424  .9811 .0157  .8821 .1053  .8135 .1546   .54  .86  .98  .0502  0
lstm-linear 10 151046  .9940 .0030  .9678 .0184  .9432 .0321   .87  .96  .97  .0187  0
lstm-fft    10 150826  .9914 .0062  .9501 .0420  .9136 .0693   .74  .94  .96  .0258  0
lstm-last   10 145706  .9391 .0591  .5855 .4144  .5179 .3765     0  .73  .86  .2385  3
lstm-mean   10 145706  .9474 .0355  .6447 .2488  .5308 .2313     0  .53  .93  .1491  1
lstm-max    10 145706  .9444 .0425  .6231 .2970  .5216 .3097     0  .42  .92  .1579  1
cnn-2       10 159502  .8893 .0119  .2370 .0833  .1410 .0496     0  .16  .16  .2659  1
cnn-4       10 164142  .8997 .0234  .3094 .1645  .2025 .1077     0  .25  .27  .2803  2
cnn-8       10 173422  .9609 .0370  .7363 .2588  .6374 .2242     0  .70  .72  .1142  1
cnn-16      10 191982  .9130 .0742  .3984 .5143  .3972 .5128     0    0 .998  .3886  6
cnn-32      10 229102  .9024 .0681  .3251 .4714  .3160 .4732     0    0 .998  .4075  6
""",
    "mnist": """
nwm-linear  10 176545  .9867 .0033  .9031 .0240  .8516 .0365   .78  .85  .91  .0404  0
nwm-fft     10 171445  .9666 .0075  .7582 .0549  .6537 .0692   .52  .67  .76  .0966  0
nwm-last    10 145845  .9325 .0101  .5021 .0758  .3856 .0714   .25  .41  .49  .1793  0
nwm-mean    10 145845  .9266 .0105  .4599 .0804  .3516 .0735   .24  .34  .46  .1965  0
nwm-max     10 145845  .9291 .0099  .4816 .0699  .3659 .0669   .31  .34  .47  .1856  0
lstm-linear 10 151467  .9712 .0369  .7864 .2796  .7276 .2630     0  .82  .88  .1155  1
lstm-fft    10 151247  .9640 .0351  .7334 .2656  .6558 .2462     0  .72  .83  .1356  1
lstm-last   10 146127  .9074 .0292  .3159 .2294  .2376 .1766     0  .28  .46  .3476  3
lstm-mean   10 146127  .9206 .0123  .4201 .0886  .3103 .0740   .20  .32  .41  .2092  0
lstm-max    10 146127  .9213 .0066  .4222 .0512  .3083 .0444   .22  .32  .36  .2081  0
cnn-2       10 160499  .8852 .0065  .1377 .0568  .0969 .0351     0  .10  .12  .3354  1
cnn-4       10 165139  .8919 .0139  .1919 .1137  .1301 .0727     0  .17  .18  .3537  2
cnn-8       10 174419  .9220 .0193  .4205 .1483  .3032 .1074     0  .33  .36  .2462  1
cnn-16      10 192979  .9419 .0515  .5686 .3930  .5047 .3495     0  .72  .75  .2681  3
cnn-32      10 230099  .9028 .0570  .2696 .4341  .2544 .4096     0    0  .86  .5026  7
""",
    "multi-mnist": """
nwm-linear  12  54855  .99779 -  .9550 .0058  .9275 .0094  .909 .930 .941  -  0
unet-2      12  30745  .98380 -  .6630 .2731  .6022 .2752  .089 .656 .924  -  0
unet-3      12  68834  .99522 -  .9001 .1043  .8655 .1291  .550 .932 .960  -  0
unet-4      12 122071  .99864 -  .9724 .0049  .9596 .0068  .943 .961 .970  -  0
unet-5      12 190456  .99897 -  .9791 .0030  .9693 .0046  .962 .970 .976  -  0
""",
}
_BACKGROUND = {"tetrominoes": 0.855584, "mnist": 0.867376, "multi-mnist": 0.951982}


@dataclass(frozen=True)
class Score:
    """A score over seeds."""

    mean: float
    std: float | None = None  # with n - 1; None where it is not known


@dataclass(frozen=True)
class Published:
    """What the paper reports of one network on one task, after 300 epochs."""

    seeds: int  # runs
    parameters: int  # that the network uses; the published counts of some include a time map without use
    accuracy: Score  # share of correct pixels
    foreground_accuracy: Score  # share of correct pixels of objects
    foreground_iou: Score  # a / (2 - a) of that, image by image
    extremes: tuple[float, float, float]  # least, median and largest foreground IoU over seeds
    loss: float | None  # mean cross-entropy; None where it is not known
    collapsed: int  # seeds that ended at background only


def published(task: str, network: str) -> Published | None:
    """Return the paper's numbers of a network on a task, None if it has none.

    Example:
        >>> from drumhead.reproduce.paper import published
        >>> published("tetrominoes", "nwm-linear").foreground_iou
        Score(mean=0.9768, std=0.0067)
    """
    return PUBLISHED.get(task, {}).get(network)


def background_accuracy(task: str) -> float | None:
    """Return the accuracy of calling every pixel of the whole test split background, None if it is not published."""
    return _BACKGROUND.get(task)


def _parse(line: str) -> tuple[str, Published]:
    name, seeds, parameters, *numbers = line.split()
    values = [None if number == "-" else float(number) for number in numbers]
    accuracy, foreground, iou = (Score(values[i] or 0.0, values[i + 1]) for i in (0, 2, 4))
    extremes = (values[6] or 0.0, values[7] or 0.0, values[8] or 0.0)
    return name, Published(
        int(seeds), int(parameters), accuracy, foreground, iou, extremes, values[9], int(numbers[10])
    )


PUBLISHED = {task: dict(map(_parse, text.strip().splitlines())) for task, text in _TABLES.items()}
