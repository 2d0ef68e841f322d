//! Audio.

use super::super::goods::{Item, Shelf};

/// What stands on it.
pub(crate) const SHELF: Shelf = Shelf {
    category: "Audio",
    seller: 4,
    light: [0x00A9_BFD4, 0x00ED_F4FA, 0x008A_A2BA],
    items: &[
        Item {
            title: "Closed-back headphones",
            rupees: 5999,
            stock: 16,
            stands: true,
            words: "Memory foam, replaceable cable and a sound that keeps the bass in its place. Eight hours \
                    are comfortable, we tried. Folds into the pouch that comes with it.",
            drawing: "k c 5 25 62 26 34 38 20 50 17.4 62 20 74 34 75 62;d c 2 30 40 40 25 50 22.6 60 25 70 40;k \
                      s 17 54 27 50 34 56 34 76 27 83 18 79 14 66;d- s 28 54 35 56 36 67 34 78 28 80;c e 22 67 \
                      6 9;k s 83 54 73 50 66 56 66 76 73 83 82 79 86 66;d- s 72 54 65 56 64 67 66 78 72 80;c e \
                      78 67 6 9;x30f c 1.2 19 60 17.4 67 19 74;k c .9 22 82 26 90 40 86 52 91",
        },
        Item {
            title: "Bookshelf speaker pair",
            rupees: 12999,
            stock: 7,
            stands: true,
            words: "Two-way speakers in oiled oak, tuned for a room of real size. The tweeter is silk, the \
                    woofer paper, and the crossover was made by ear. Sold as a pair, with felt feet.",
            drawing: "o r 17 24 29 60 2;k- e 31.5 40 7 7;s e 31.5 40 3.4 3.4;k e 31.5 64 11.4 11.4;k- e 31.5 64 \
                      8.6 8.6;k+ e 31.5 64 3.4 3.4;o r 54 24 29 60 2;k- e 68.5 40 7 7;s e 68.5 40 3.4 3.4;k e \
                      68.5 64 11.4 11.4;k- e 68.5 64 8.6 8.6;k+ e 68.5 64 3.4 3.4;d-f c .5 20 28 21 50 20 \
                      80;d-f c .5 57 28 58 50 57 80;b r 28.5 79 6 1.4 .6;b r 65.5 79 6 1.4 .6",
        },
        Item {
            title: "Bamboo phone amplifier",
            rupees: 899,
            stock: 38,
            stands: true,
            words: "No battery and no cable: set the phone in, and the bamboo does the rest. Loud enough for \
                    breakfast. Each piece is cut from one stem and waxed.",
            drawing: "k r 40 24 20 40 3;l r 41.6 27 16.8 34 1;r e 50 40 4.6 4.6;w p 48.6 37.6 48.6 42.4 52.6 \
                      40;w60f l .8 44 50 56 50;o r 14 58 72 26 12;o- e 26 71 8.4 9;d- e 26 71 6.4 7;o- e 74 71 \
                      8.4 9;d- e 74 71 6.4 7;o-f l .8 40 60 40 83;o-f l .8 60 60 60 83;o+f l 1 20 60.4 80 60.4",
        },
        Item {
            title: "Portable radio",
            rupees: 2499,
            stock: 20,
            stands: true,
            words: "FM, Bluetooth and a dial that clicks. The speaker faces you and the handle folds away. \
                    Twelve hours on a charge, or on the mains as long as there is news.",
            drawing: "s l 1 70 40 86 14;d c 2.6 28 42 30 31 50 29 70 31 72 42;e r 16 40 68 44 6;w r 20 44 60 36 \
                      4;k e 37 62 13.6 13.6;k+f o .8 37 62 10 10;k+f o .8 37 62 6.6 6.6;k+f o .8 37 62 3.2 \
                      3.2;n r 55 48 21 10 2;r l 1 66 48.6 66 57.4;k50f l .4 58 51 74 51;k50f l .4 58 55 74 55;b \
                      e 60 70 5 5;k l .8 60 70 63 67;b e 72 70 5 5;k l .8 72 70 70 66.6",
        },
        Item {
            title: "Vinyl record brush",
            rupees: 699,
            stock: 45,
            stands: true,
            words: "A million carbon fibres lift the dust out of the groove and leak the static away. Turn once \
                    before each side. The handle is the stand.",
            drawing: "z e 50 74 36 10;k-f o .5 50 74 31 8.4;k+f o .5 50 74 26 7;k-f o .5 50 74 21 5.6;r e 50 74 \
                      12 3.4;w e 50 74 1.6 .7;x20f p 50 74 82 70 84 74;d p 26 40 66 30 70 40 30 50;d+ p 26 40 \
                      66 30 66.6 32 26.6 42;b p 30 50 70 40 70.6 42.6 30.6 52.6;z p 31 52.6 70.4 42.8 71 52 32 \
                      62;k+f l .4 38 52 39 60;k+f l .4 46 50 47 58;k+f l .4 54 48 55 56;k+f l .4 62 46 63 54",
        },
        Item {
            title: "Wireless earbuds",
            rupees: 3499,
            stock: 2,
            stands: true,
            words: "Small enough to forget and loud enough to notice. Six hours in the ear and three more \
                    charges in the case. They pause when you take one out, as they should.",
            drawing: "w r 22 52 56 32 15;w- l .7 23 63 77 63;g+ e 50 73 1.3 1.3;s s 26 52 50 44 74 52 74 58 26 \
                      58;w s 32 26 42 24 46 31 41 38 33 36 29 31;w r 34 34 6 17 3;k e 43.4 30 3 4;s e 37 49.6 2 \
                      1;w s 68 26 58 24 54 31 59 38 67 36 71 31;w r 60 34 6 17 3;k e 56.6 30 3 4;s e 63 49.6 2 \
                      1;x70f c 1.4 26 62 25 70 30 79",
        },
        Item {
            title: "Desktop microphone",
            rupees: 4499,
            stock: 12,
            stands: true,
            words: "For calls that sound like a visit. A cardioid capsule hears you and not the keyboard, and a \
                    touch on top mutes it. Plugs in by USB-C, with nothing to install.",
            drawing: "k e 50 82 18 3.8;k+ e 50 81 16 2.8;k- r 48.4 62 3.2 20 1;k c 2.6 34 36 34 56 50 64 66 56 \
                      66 36;s r 39 16 22 40 11;k r 39 38 22 18 9;s- l .5 39 24 61 24;s- l .5 39 28 61 28;s- l \
                      .5 39 32 61 32;s- l .5 45 16.6 45 37;s- l .5 50 16 50 37;s- l .5 55 16.6 55 37;b r 39 \
                      36.4 22 2.4 0;r e 50 47 2 2;x40f c 1 43 20 42 28 42.4 35",
        },
        Item {
            title: "Braided audio cable",
            rupees: 599,
            stock: 66,
            stands: true,
            words: "Copper, braided nylon, and plugs that outlast the jacks they go into. One and a half metres \
                    with 3.5 mm on both ends. Never tangles quite as badly as others.",
            drawing: "r o 3 46 60 24 19;r- o 3 48 61 20 15.4;r o 3 46 62 16 11.6;r c 3 68 66 80 70 84 60 82 \
                      46;k r 78.6 30 6.8 16 2;b r 80.4 20 3.2 11 1;k l .6 80.4 24 83.6 24;k l .6 80.4 27 83.6 \
                      27;r- c 3 30 68 24 80 38 84 54 82;k r 54 78.6 15 6.8 2;b r 68.4 80.4 11 3.2 1;k l .6 72 \
                      80.4 72 83.6;k l .6 75 80.4 75 83.6;d r 40 40 12 5 1",
        },
    ],
};
