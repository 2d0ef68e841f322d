//! Lighting.

use super::super::goods::{Item, Shelf};

/// What stands on it.
pub(crate) const SHELF: Shelf = Shelf {
    category: "Lighting",
    seller: 0,
    light: [0x0051_5B74, 0x00F5_DFB2, 0x008C_6D57],
    items: &[
        Item {
            title: "Brass desk lamp",
            rupees: 2499,
            stock: 14,
            stands: true,
            words: "A jointed arm and a heavy foot, so that the light stays where you put it. The shade is spun \
                    from solid brass and lacquered against fingerprints. Takes any E14 bulb up to 25 W.",
            drawing: "y18f p 57 47 76 43 96 84 58 84;b e 46 82 17 3.6;b- l 2.4 46 80 30 54;b l 2.4 30 54 55 \
                      30;b- e 30 54 2.8 2.8;b p 47 30 60 20 79 42 56 51;b+ e 67.5 46.5 12 3.4;b- e 53 27 3.4 \
                      3.4;y+f e 67.5 46.7 9 2.2",
        },
        Item {
            title: "Paper floor lantern",
            rupees: 3299,
            stock: 9,
            stands: true,
            words: "Handmade lokta paper over a bamboo frame, for a corner that is dark by five. The paper \
                    softens the bulb to a glow without a glare. Folds flat for the move to the next flat.",
            drawing: "d l 1.8 40 70 35 84;d l 1.8 60 70 65 84;d l 1.8 50 72 50 84;w v 50 11 16 19 22 23 38 22 \
                      54 17 66 11 74;y30f e 50 46 13 20;n-f c .5 28 30 50 33 72 30;n-f c .5 27 40 50 43 73 \
                      40;n-f c .5 28 50 50 53 72 50;n-f c .5 31 60 50 63 69 60;d r 38 14.5 24 2.6 1;d r 38 72.5 \
                      24 2.6 1",
        },
        Item {
            title: "Clay table lamp",
            rupees: 1899,
            stock: 22,
            stands: true,
            words: "Thrown on a wheel in Khurja and left unglazed, with a linen shade that turns the light \
                    warm. Every base differs a little in colour. The cord is two metres long and covered in \
                    cotton.",
            drawing: "t v 50 4 50 9 55 16 63 18 72 13 80 10 84;t-f c .7 34.5 66 50 68.5 65.5 66;b r 47.6 44 4.8 \
                      7 1;n m 50 13 20 23 47;y22f m 50 10 24 18 46;n- l .9 27.2 46.6 72.8 46.6",
        },
        Item {
            title: "Clip-on reading light",
            rupees: 799,
            stock: 48,
            stands: true,
            words: "Clips to a headboard or the cover of a book and bends to the page. Three steps of \
                    brightness, none of which wakes the other half of the bed. Charges by USB-C and lasts about \
                    twenty hours.",
            drawing: "y16f p 63 34 76 38 74 84 40 84;k r 28 70 24 6 2;k- r 30 77 22 5 2;k- e 30 76 3 3;c c 2.6 \
                      40 70 34 54 38 36 56 24;k s 54 18 66 20 78 34 72 40 60 34 52 27;y+f s 60 33 72 39 76 35 \
                      66 29",
        },
        Item {
            title: "Glass pendant light",
            rupees: 2899,
            stock: 6,
            stands: false,
            words: "Mouth-blown smoked glass that shows the filament and hides the socket. Hangs from a fabric \
                    cable that you cut to length. Lovely in threes above a table.",
            drawing: "k l .8 50 0 50 24;b r 46.5 22 7 9 1.5;l75 v 50 5 30 8 34 20 46 25 60 21 72 12 78 5 \
                      79;y45f e 50 53 9 11;y+f e 50 53 4.4 6;b+f c .7 48 51 49 55 50 51 51 55 52 51;x45f c 1.6 \
                      33 50 30 58 33 68;b- l .9 50 31 50 46",
        },
        Item {
            title: "Rattan ceiling shade",
            rupees: 2199,
            stock: 11,
            stands: false,
            words: "Woven from natural rattan by a cooperative in Tripura. It throws a pattern of light on the \
                    ceiling that looks like leaves. Fits any ceiling rose; the cable is not included.",
            drawing: "k l .8 50 0 50 28;o m 50 7 28 34 66;d35f m 50 5 33 29 65;y38f e 50 62 20 8;o- o .9 50 66 \
                      34 3.4;o+ c .8 43 29 36 45 22 66;o+ c .8 57 29 64 45 78 66;o+ l .8 50 28 50 68;o-f c .7 \
                      37 38 50 40 63 38;o-f c .7 30 48 50 51 70 48;o-f c .7 22 58 50 62 78 58;o+ c .8 40 33 60 \
                      50 70 68;o+ c .8 60 33 40 50 30 68",
        },
        Item {
            title: "Copper wall sconce",
            rupees: 1599,
            stock: 0,
            stands: false,
            words: "A quiet light for a corridor or beside a mirror. Raw copper that darkens with the years, or \
                    can be kept bright with a little lemon. Wired, for one small bulb.",
            drawing: "c e 50 52 15 25;c- e 50 52 12 21;c l 3 50 60 50 44;y30f e 50 34 20 16;c+ m 50 12 30 6 \
                      46;y+f e 50 30 11.6 2.6;b r 47.6 25 4.8 6 1;w e 50 20 5 6;y60f e 50 20 3.4 4.4;b e 50 62 \
                      3 3",
        },
        Item {
            title: "Solar garden lamp",
            rupees: 649,
            stock: 73,
            stands: true,
            words: "Push it into a bed, and it charges by day and lights the path by night. A full charge lasts \
                    about eight hours. Rain does it no harm.",
            drawing: "y20f e 50 48 26 22;k l 2.2 50 62 50 86;k r 36 24 28 4.4 2;i r 38 21 24 3.6 1;l-f l .4 44 \
                      21 44 24.4;l-f l .4 50 21 50 24.4;l-f l .4 56 21 56 24.4;l70 m 50 11 28 13 56;y+f e 50 44 \
                      5 8;k- l .9 37.4 29 36.6 56;k- l .9 62.6 29 63.4 56;k- l .9 50 29 50 56;k r 35 56 30 4 \
                      2;g s 24 86 28 74 30 86;g- s 68 86 72 72 75 86",
        },
    ],
};
