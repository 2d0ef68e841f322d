//! Stationery.

use super::super::goods::{Item, Shelf};

/// What stands on it.
pub(crate) const SHELF: Shelf = Shelf {
    category: "Stationery",
    seller: 2,
    light: [0x00C9_D7CF, 0x00F6_F8F0, 0x00B3_C1AF],
    items: &[
        Item {
            title: "Dotted notebook",
            rupees: 349,
            stock: 96,
            stands: false,
            words: "A5, 192 numbered pages with a fine dot every five millimetres. The thread binding opens \
                    flat from the first page on. Ink does not bleed, and the ribbon does not fray.",
            drawing: "k- r 31 22 44 64 3;w r 30 21 44 63 2;e r 28 18 44 64 3;e- r 28 18 7 64 3;y l 1.2 66 18 66 \
                      82;r p 44 82 48 82 48 92 46 89.4 44 92;w r 41 34 20 11 1;k f;k45f l .7 44 38 58 38;k45f l \
                      .7 44 41.4 54 41.4",
        },
        Item {
            title: "Brass fountain pen",
            rupees: 1899,
            stock: 17,
            stands: false,
            words: "Turned from a single rod of brass, it warms to the hand and darkens in the pocket. The \
                    steel nib is medium and writes at the first touch. Takes cartridges or a converter.",
            drawing: "w r 22 30 58 48 1;l-f l .4 28 42 74 42;l-f l .4 28 50 74 50;l-f l .4 28 58 74 58;l-f l .4 \
                      28 66 74 66;i c .9 30 41 33 37 35 42 39 37 41 42 46 38 49 42;i c .9 30 49 35 45 37 50 43 \
                      45 46 49.6;b l 5.4 82 22 52 58;b+ l 1 80 21.4 53 54;b- l 5.6 68 39 66.6 40.6;k p 50.4 \
                      55.6 55 59.4 45 68;s p 49 60 52.6 63 45 68;b- l 1.4 84 24 76 36",
        },
        Item {
            title: "Handmade paper, fifty sheets",
            rupees: 599,
            stock: 44,
            stands: false,
            words: "Cotton rag paper from Sanganer with a deckled edge on all four sides. It takes ink, \
                    watercolour and letterpress. Fifty sheets of A4, tied with string.",
            drawing: "n- s 24 30 50 28 79 31 80 58 78 83 50 84 25 83 23 58;n s 23 27 50 26 77 28 78 55 77 80 50 \
                      81 24 80 22 54;w s 22 24 49 23 75 25 76 52 75 77 49 78 23 77 21 51;g c 1.2 49 23 48.6 50 \
                      49 78;g c 1.2 21 51 49 50 76 51;g s 49 50 42 44 38 48 44 52;g s 49 50 56 44 60 48 54 \
                      52;g+ e 49 50.4 2.2 2;g c 1 49 51 45 58 46 62;p e 62 66 2 1.6;p- e 64 68 1.4 1.2",
        },
        Item {
            title: "Linen desk calendar",
            rupees: 449,
            stock: 28,
            stands: true,
            words: "Twelve months on thick card over a linen stand. Big numbers, room for a word beside each, \
                    and the moon in the corner. Starts in any month you turn to.",
            drawing: "n- p 28 84 76 84 70 36 34 36;n p 24 84 72 84 68 34 28 34;w p 28.6 78 68.4 78 65.4 36 31 \
                      36;r p 30.8 38 65.6 38 66.2 46 30.4 46;k50f r 34 52 4 3.4 .6;k30f r 41 52 4 3.4 .6;k30f r \
                      48 52 4 3.4 .6;k30f r 55 52 4 3.4 .6;k30f r 34 60 4 3.4 .6;r r 41 60 4 3.4 .6;k30f r 48 \
                      60 4 3.4 .6;k30f r 55 60 4 3.4 .6;k30f r 34 68 4 3.4 .6;k30f r 41 68 4 3.4 .6;k30f r 48 \
                      68 4 3.4 .6;y e 62 70 2.4 2.4;s o .9 38 35 1.4 3;s o .9 48 35 1.4 3;s o .9 58 35 1.4 3",
        },
        Item {
            title: "Wax seal set",
            rupees: 899,
            stock: 3,
            stands: true,
            words: "A brass seal with your letter, a wooden grip and two sticks of wax. It makes a letter feel \
                    like an event. The wax bends with the paper and survives the post.",
            drawing: "w p 20 62 66 56 78 80 30 86;n-f l .6 20 62 50 72;n-f l .6 66 56 50 72;r s 47 67 53 66 57 \
                      71 53 77 46 76 43 71;r- o 1 50 71.4 4 3.2;d v 73 3 26 6 32 7 40 4 50 5 56;b r 67 55 12 7 \
                      1.4;b- r 65.6 61 14.8 4 1;r r 22 70 24 5 2;r r 20 77 24 5 2;i r 24 77.4 3 4 0",
        },
        Item {
            title: "Watercolour pocket tin",
            rupees: 1099,
            stock: 21,
            stands: false,
            words: "Twelve half pans of honest pigment in a tin that fits a shirt pocket. The lid is the \
                    palette, the water brush clips inside. Refills of every colour are sold singly.",
            drawing: "k r 18 24 64 28 3;s+ r 20 26 60 24 2;l60 e 32 38 7 5;p70 e 50 36 8 6;y60 e 67 39 7 5;k r \
                      18 54 64 32 3;s r 20 56 60 28 2;r r 23 58.6 7.6 10 1;t r 32.4 58.6 7.6 10 1;y r 41.8 58.6 \
                      7.6 10 1;g r 51.2 58.6 7.6 10 1;e r 60.6 58.6 7.6 10 1;l r 70 58.6 7.6 10 1;i r 23 71 7.6 \
                      10 1;v r 32.4 71 7.6 10 1;p r 41.8 71 7.6 10 1;d r 51.2 71 7.6 10 1;n r 60.6 71 7.6 10 \
                      1;z r 70 71 7.6 10 1;o l 2.4 84 22 94 64;s l 2.6 94 64 95.4 70;i p 94 70 97 70 97 78",
        },
        Item {
            title: "Recycled pencil dozen",
            rupees: 199,
            stock: 120,
            stands: true,
            words: "Pressed from old newspapers, with a soft 2B lead that does not break when dropped. They \
                    sharpen like cedar and curl like streamers. Twelve in a paper sleeve.",
            drawing: "y l 3.4 40 70 32 26;o p 29.6 27 34.4 26 30.6 18;k p 30.2 21 32.2 20.6 30.6 18;r l 3.4 46 \
                      70 43 22;o p 40.6 22.4 45.4 22 42.4 14;k p 41.8 17 43.6 17 42.4 14;e l 3.4 51 70 53 20;o \
                      p 50.6 20 55.4 20 53.4 12;k p 52.4 15 54.4 15 53.4 12;i l 3.4 56 70 62 24;o p 59.8 23 \
                      64.4 24 63 16;k p 62 19 64 19 63 16;g l 3.4 60 70 70 29;o p 67.8 28 72.2 29.6 72 21;k p \
                      70.8 24 72.8 24 72 21;n m 50 16 52 13 84;w p 34 52 66 52 65.2 60 34.8 60;k40f l .8 42 56 \
                      58 56;n+ e 50 52 16 2.4;n-f c .6 37 66 38 74 38.6 82;z30f e 50 52 13.6 1.7",
        },
        Item {
            title: "Letterpress greeting cards",
            rupees: 549,
            stock: 33,
            stands: false,
            words: "Eight cards printed on a press from 1957, with a line you can feel with a finger. Blank \
                    inside, because you know better what to say. Envelopes are lined with marbled paper.",
            drawing: "p- p 36 22 84 30 78 68 30 60;p p 36 22 84 30 62 46;n p 16 36 62 32 66 84 20 88;w p 18 38 \
                      60 34 64 82 22 86;r s 41 70 31 58 35 49 41 54 46 48 52 56;r-f o .6 41 59 17 18;g c 1 41 \
                      70 42 76 40 80;g s 42 75 48 72 49 75",
        },
    ],
};
